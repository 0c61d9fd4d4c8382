import type { Shape } from '../tensor/shape.ts';
import { BucketSampler } from './bucket-sampler.ts';
import { type Order, Sampler, type SamplerPosition } from './sampler.ts';
import { SizeSampler } from './size-sampler.ts';
import type { Source } from './source.ts';

export interface OrderOptions {
  /** Of the global batch, where all samples have one shape. */
  readonly batchSize: number;
  /** Of the global batch, of samples of a shape. */
  readonly batchSizeOf: (shape: Shape) => number;
  readonly seed: number;
  readonly position?: SamplerPosition;
}

/**
 * The batches that a training reads of a source: of one shape, of a shape that is drawn for each, or of one bucket each.
 * @throws RectiflowError when a number is no positive integer, or the position lies outside of the set
 */
export function orderOf({ count, sizes }: Pick<Source, 'count' | 'sizes'>, options: OrderOptions): Order {
  if (sizes === undefined) return new Sampler({ count, ...options });
  const { shapes, of } = sizes;
  return of
    ? new BucketSampler({ count, shapes, of, ...options })
    : new SizeSampler({ count, shapes, ...options });
}
