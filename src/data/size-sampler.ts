// Batches of a set that is read at several sizes: one is drawn for each batch.
import { philoxUniform } from '../tensor/philox.ts';
import { streams } from '../tensor/random-streams.ts';
import type { Shape } from '../tensor/shape.ts';
import { type Order, type SampledBatch, Sampler, type SamplerOptions } from './sampler.ts';

export interface SizeSamplerOptions extends SamplerOptions {
  readonly shapes: readonly Shape[];
  /** Of the global batch, of samples of a shape. */
  readonly batchSizeOf: (shape: Shape) => number;
}

/** At which of so many sizes a batch is read, each as likely: a function of (seed, batch), where 1 is the first of a run. */
export function drawSize(seed: number, batch: number, sizes: number): number {
  const [u] = philoxUniform({
    seed,
    stream: streams.sizes,
    step: batch,
    firstSample: 0,
    samples: 1,
    elements: 1,
  });
  return Math.min(sizes - 1, Math.floor(u! * sizes));
}

/** The order of samples is that of a set of one size; which batch they fall into depends on the sizes before. */
export class SizeSampler implements Order {
  readonly #samples: Sampler;
  readonly #shapes: readonly Shape[];
  readonly #batchSizeOf: (shape: Shape) => number;
  readonly #seed: number;
  #batches: number;

  /** @throws RectiflowError as `Sampler` does */
  constructor({ shapes, batchSizeOf, ...options }: SizeSamplerOptions) {
    this.#samples = new Sampler(options);
    this.#shapes = shapes;
    this.#batchSizeOf = batchSizeOf;
    this.#seed = options.seed;
    this.#batches = options.position?.batches ?? 0;
  }

  next(): SampledBatch {
    this.#batches++;
    const shape = this.#shapes[drawSize(this.#seed, this.#batches, this.#shapes.length)]!;
    const batch = this.#samples.next(this.#batchSizeOf(shape));
    return { ...batch, shape, position: { ...batch.position, batches: this.#batches } };
  }
}
