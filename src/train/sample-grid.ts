import { writeGrid } from '../data/image.ts';
import type { Annotation, ImageShape } from '../data/source.ts';
import type { FlowSampler } from '../flow/sample.ts';
import type { Shape } from '../tensor/shape.ts';
import type { Conditioning } from './conditioning.ts';
import type { RunConfig, SampleConfig } from './config.ts';
import type { DataRecord } from './data-record.ts';

/** Small images are enlarged until they are about this many pixels high. */
const shownHeight = 64;

/** How many times to enlarge an image so that one can see it. */
export function displayScale([, height, width]: ImageShape): number {
  return Math.max(1, Math.floor(shownHeight / Math.max(height, width)));
}

/** Whether samples can be shown: images, grey or RGB, whose values mean what they mean in images (no latents). */
export function isPicture(shape: Shape, record: DataRecord['record']): shape is ImageShape {
  return shape.length === 3 && (shape[0] === 1 || shape[0] === 3) && record === undefined;
}

/** What the rows of a run's grids show: classes, captions, or nothing in particular. */
export function gridRows({ labels, prompts }: Pick<SampleConfig, 'labels' | 'prompts'>): Annotation[] {
  return prompts.length > 0 ? prompts.map((caption) => ({ caption })) : labels.map((label) => ({ label }));
}

/**
 * Writes a grid of samples: a row for each label or prompt of the config, or a square of samples of a model without. Noise is
 * a function of the seed alone, so that the grids of a run show the same samples becoming clearer.
 */
export async function writeSampleGrid(
  path: string,
  sampler: FlowSampler,
  shape: ImageShape,
  { sample, seed }: Pick<RunConfig, 'sample' | 'seed'>,
  conditioning: Conditioning,
  signal?: AbortSignal,
): Promise<void> {
  const { perClass, labels: _, prompts: __, ...settings } = sample;
  const rows = gridRows(sample);
  const repeated = rows.flatMap((row) => Array.from({ length: perClass }, () => row));
  const told = rows.length > 0 ? { conditions: conditioning.encode(repeated) } : { guidance: 1 };
  const images = await sampler.sample({
    count: rows.length > 0 ? repeated.length : perClass ** 2,
    ...settings,
    ...told,
    seed,
    ...(signal && { signal }),
  });
  await writeGrid(path, images, shape, { columns: perClass, scale: displayScale(shape) });
}
