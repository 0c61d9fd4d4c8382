import { writeGrid } from '../data/image.ts';
import type { ImageShape } from '../data/source.ts';
import type { FlowSampler } from '../flow/sample.ts';
import type { RunConfig } from './config.ts';

/** Small images are enlarged until they are about this many pixels high. */
const shownHeight = 64;

/** How many times to enlarge an image so that one can see it. */
export function displayScale([, height, width]: ImageShape): number {
  return Math.max(1, Math.floor(shownHeight / Math.max(height, width)));
}

/** Whether images of this shape can be shown: grey or RGB. */
export function isPicture([channels]: ImageShape): boolean {
  return channels === 1 || channels === 3;
}

/**
 * Writes a grid of samples: a row for each label of the config, or a square of samples of a model without classes. Noise is a
 * function of the seed alone, so that the grids of a run show the same samples becoming clearer.
 */
export async function writeSampleGrid(
  path: string,
  sampler: FlowSampler,
  shape: ImageShape,
  { sample, seed }: Pick<RunConfig, 'sample' | 'seed'>,
  signal?: AbortSignal,
): Promise<void> {
  const { labels, perClass, steps, guidance, sampler: name } = sample;
  const repeated = labels.flatMap((label) => Array.from({ length: perClass }, () => label));
  const images = await sampler.sample({
    ...(labels.length > 0 ? { labels: repeated, guidance } : { count: perClass ** 2 }),
    steps,
    sampler: name,
    seed,
    ...(signal && { signal }),
  });
  await writeGrid(path, images, shape, { columns: perClass, scale: displayScale(shape) });
}
