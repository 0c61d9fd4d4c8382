// What a visitor chooses of a training.
import { latentRecordOf } from '../../../src/data/latents.ts';
import type { ImageModel, TextModel } from '../../../src/train/settings.ts';
import type { ShareManifest } from '../../../src/share/manifest.ts';
import { type CaptionChoice, captionsAtFirst } from './captions.ts';
import type { PictureForm } from './pictures.ts';

/** Of a new model. `patches` are those of a side of the picture. */
export const sizes = {
  tiny: { width: 64, depth: 3, heads: 4, patches: 8 },
  small: { width: 128, depth: 4, heads: 4, patches: 8 },
  medium: { width: 256, depth: 8, heads: 8, patches: 8 },
} as const;
export type SizeName = keyof typeof sizes;

export const imageSides = [16, 32, 64] as const;

export interface TrainSettings {
  /** A new model, or the shared one trained further. */
  readonly begin: 'new' | 'shared';
  readonly size: SizeName;
  readonly side: (typeof imageSides)[number];
  readonly channels: 1 | 3;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly steps: number;
  /** Steps from one grid of samples to the next. */
  readonly sampleEvery: number;
  /** Of the shared model: which of its classes each folder is; null where that is not said. */
  readonly labels: readonly (readonly [folder: string, label: number | null])[];
  /** Of a shared model that is told captions: where those are from. */
  readonly captions: CaptionChoice;
}

/** @param isSlow whether a program computes in place of a GPU: then a small training ends, and shows something on the way */
export function settingsAtFirst(isSlow: boolean): TrainSettings {
  return {
    begin: 'new',
    size: isSlow ? 'tiny' : 'small',
    side: isSlow ? 16 : 32,
    channels: 3,
    batchSize: isSlow ? 16 : 32,
    learningRate: 2e-3,
    steps: isSlow ? 1500 : 2000,
    sampleEvery: 100,
    labels: [],
    captions: captionsAtFirst,
  };
}

/** Why a shared model cannot be trained further here; null where it can. */
export function whyNotFurther({ config, data }: ShareManifest): string | null {
  const { model, flow } = config;
  if (model.kind !== 'dit' && model.kind !== 'text-dit') return 'It makes no pictures.';
  if (latentRecordOf(data.record) !== undefined)
    return 'It makes latents, and the page has only what decodes them, not what encodes pictures. The command line trains it further.';
  if (model.sizeConditioning)
    return 'It is told how pictures were resized and cropped. The command line trains it further.';
  if (flow.coupling === 'pairs')
    return 'It was trained on pairs of noise and samples, which own pictures do not have.';
  if (model.channels !== 1 && model.channels !== 3)
    return `Its pictures have ${model.channels} channels, and those of files 1 or 3.`;
  return null;
}

/** Whether the model that is trained is told captions. @param shared whose model is trained further */
export function isToldCaptions({ begin }: TrainSettings, shared: ShareManifest | undefined): boolean {
  return begin === 'shared' && shared?.config.model.kind === 'text-dit';
}

/** What pictures become. @param shared whose model is trained further */
export function formOf(settings: TrainSettings, shared: ShareManifest | undefined): PictureForm {
  if (settings.begin === 'new' || shared === undefined)
    return { size: [settings.side, settings.side], channels: settings.channels };
  const { imageSize, channels } = shared.config.model as ImageModel | TextModel;
  return { size: imageSize, channels: channels as 1 | 3 };
}
