// What of the pictures' captions a shared model is told.
import { conditioningOf } from '../../../src/train/conditioning.ts';
import type { ShareManifest } from '../../../src/share/manifest.ts';
import type { Captions } from '../../../src/data/source.ts';
import { type CaptionsReport, captionsOf, describeCaptions } from './captions.ts';
import type { PictureSet } from './picture-set.ts';
import { type TrainSettings, isToldCaptions } from './settings.ts';

export interface ToldCaptions {
  /** Of each picture; undefined of those without. */
  readonly captions: readonly (Captions | undefined)[];
  readonly report: CaptionsReport;
}

/** @returns undefined for a model that is told none */
export function toldCaptions(
  settings: TrainSettings,
  pictures: Pick<PictureSet, 'captioned' | 'captionFiles'>,
  shared: ShareManifest | undefined,
): ToldCaptions | undefined {
  if (shared === undefined || !isToldCaptions(settings, shared)) return undefined;
  const { meter } = conditioningOf(shared.config.model, shared.data.tokenizer);
  const { captioned, captionFiles } = pictures;
  const found = captionsOf(captioned, captionFiles, settings.captions);
  return {
    captions: found.map((each) => each?.captions),
    report: describeCaptions(captioned, found, meter!),
  };
}
