// Pictures of samples that are none: of latents, by the autoencoder that they are of.
import { type ImageShape, type SourceFacts, imageSize, isPicture } from '../data/source.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import type { SampleGrid } from './sample-grid.ts';

/** Handed to a training whose samples are shown as something else than they are. */
export interface SampleDecoder {
  /** [C, H, W] of the picture of a sample of this shape. */
  pictureShape(shape: Shape): ImageShape;
  /**
   * @param samples [N, ...shape], as the model sees them
   * @param signal stops between some samples and the next, with its reason
   * @returns [N, ...pictureShape], in about [-1, 1]
   */
  decode(samples: Float32Array, shape: Shape, signal?: AbortSignal): Promise<Float32Array>;
  /** Bytes that decoding takes beside what it holds already: for estimates. */
  readonly bytes: number;
}

/** [C, H, W] of the pictures that samples are shown as; undefined where they cannot be shown. */
export function shownShape(
  shape: Shape,
  record: SourceFacts['record'],
  decoder: SampleDecoder | undefined,
): ImageShape | undefined {
  if (isPicture(shape, record)) return shape;
  return shape.length === 3 ? decoder?.pictureShape(shape) : undefined;
}

/** A grid of pictures, of one of samples. */
export async function decodeGrid(
  grid: SampleGrid,
  decoder: SampleDecoder,
  signal?: AbortSignal,
): Promise<SampleGrid> {
  const sets: SampleGrid['sets'][number][] = [];
  for (const { weights, samples } of grid.sets)
    sets.push({ weights, samples: await decoder.decode(samples, grid.shape, signal) });
  const path = { ...grid.path, samples: await decoder.decode(grid.path.samples, grid.shape, signal) };
  return { ...grid, shape: decoder.pictureShape(grid.shape), sets, path };
}

/**
 * Decodes some at a time, so that memory is bounded by the samples and their pictures.
 * @param decode of [B, ...shape] to [B, ...picture]
 */
export async function decodeInParts(
  samples: Float32Array,
  shape: Shape,
  picture: ImageShape,
  atOnce: number,
  decode: (part: Float32Array, count: number) => Promise<Float32Array>,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const size = sizeOf(shape);
  const count = samples.length / size;
  const pictures = new Float32Array(count * imageSize(picture));
  for (let first = 0; first < count; first += atOnce) {
    signal?.throwIfAborted();
    const some = Math.min(atOnce, count - first);
    const part = await decode(samples.subarray(first * size, (first + some) * size), some);
    pictures.set(part, first * imageSize(picture));
  }
  return pictures;
}
