// What the card of a shared model shows: samples of it.
import { type ImageShape, isPicture } from '../../data/source.ts';
import { withPngText } from '../../formats/png-text.ts';
import { encodePng } from '../../pictures/image.ts';
import { drawSampleSheet } from '../../pictures/sample-sheet.ts';
import { counted } from '../../tensor/counted.ts';
import { gridRows } from '../../train/sample-grid.ts';
import { type SampleRunOptions, sample } from '../sample.ts';
import type { RunModel } from '../run-sampler.ts';

export interface CardPicture {
  readonly png: Uint8Array;
  /** What is in it, and how it was made. */
  readonly text: string;
}

/** In all; a class or a caption has its share of them. */
const most = 64;
const mostOfOne = 8;
/** Of a model that is told nothing. */
const untold = 36;

/** @returns undefined of a model whose samples are no pictures */
export async function drawCardPicture(
  { run, config }: Pick<RunModel, 'run' | 'config'>,
  options: Pick<SampleRunOptions, 'weights' | 'emaLength' | 'checkpoint' | 'backend' | 'signal'>,
): Promise<CardPicture | undefined> {
  const rows = gridRows(config.sample).length;
  const count = rows === 0 ? untold : Math.max(1, Math.min(mostOfOne, Math.floor(most / rows)));
  const samples = await sample(run, { ...options, count });
  const { made, pictures, shape, data } = samples;
  if (!pictures && !isPicture(shape, data.record)) return undefined;
  const drawn = { ...samples, shape: shape as ImageShape, ...pictures };
  const png = await encodePng(await drawSampleSheet(drawn));
  const { steps, sampler, guidance, seed } = made!;
  const what = config.sample.prompts.length > 0 ? 'caption' : 'class';
  const how = `${counted(steps, 'step')} of ${sampler}, guidance ${guidance}, seed ${seed}`;
  return {
    png: withPngText(png, 'rectiflow', JSON.stringify(made)),
    text: `${rows === 0 ? counted(count, 'sample') : `${counted(count, 'sample')} of each ${what}`}: ${how}`,
  };
}
