// Batches of a set whose samples each have a shape of their own: a batch is of one shape.
import { streams } from '../tensor/random-streams.ts';
import type { Shape } from '../tensor/shape.ts';
import {
  type Order,
  type SampledBatch,
  type SamplerOptions,
  type SamplerPosition,
  checkSampler,
  epochOrder,
} from './sampler.ts';

export interface BucketSamplerOptions extends SamplerOptions {
  readonly shapes: readonly Shape[];
  /** The place in `shapes` of a sample's. */
  readonly of: (index: number) => number;
  /** Of the global batch, of samples of a shape. */
  readonly batchSizeOf: (shape: Shape) => number;
}

/** Some samples of a bucket: from `first` on, `count` of those that the epoch still has to read. */
interface Part {
  readonly bucket: number;
  readonly first: number;
  readonly count: number;
}

/**
 * Every sample once in each epoch, which ends with a whole batch. A bucket's last batch is filled up with the first samples that
 * the epoch read of that bucket, over again where they are too few; so none is short and none is dropped. The samples' order, and
 * that of the batches, is a function of (seed, epoch).
 */
export class BucketSampler implements Order {
  readonly #options: BucketSamplerOptions;
  #epoch: number;
  /** Samples of the epoch that are done, without those that only filled up a batch. */
  #offset = 0;
  /** Of the epoch, by their buckets in the order in which they are read. */
  #samples: readonly Uint32Array[] = [];
  #parts: readonly Part[] = [];
  /** Of `#parts`, the one that is next. */
  #next = 0;

  /** @throws RectiflowError as `Sampler` does */
  constructor(options: BucketSamplerOptions) {
    const { position = { epoch: 0, offset: 0 } } = options;
    checkSampler(options, position);
    this.#options = options;
    this.#epoch = position.epoch;
    this.#arrange();
    // A position between two batches is that of a run with other batches: it goes on with the next whole one.
    while (this.#epoch === position.epoch && this.#offset < position.offset)
      this.#pass(this.#parts[this.#next]!);
  }

  next(): SampledBatch {
    const part = this.#parts[this.#next]!;
    const epoch = this.#epoch;
    const shape = this.#options.shapes[part.bucket]!;
    const samples = this.#samples[part.bucket]!;
    const indices = Uint32Array.from(
      { length: this.#options.batchSizeOf(shape) },
      (_, i) => samples[(part.first + i) % samples.length]!,
    );
    this.#pass(part);
    return { indices, epochs: new Uint32Array(indices.length).fill(epoch), position: this.#position, shape };
  }

  get #position(): SamplerPosition {
    return { epoch: this.#epoch, offset: this.#offset };
  }

  #pass({ count }: Part): void {
    this.#offset += count;
    if (++this.#next < this.#parts.length) return;
    this.#epoch++;
    this.#arrange();
  }

  #arrange(): void {
    const { count, shapes, of, batchSizeOf, seed } = this.#options;
    const order = epochOrder(count, seed, this.#epoch);
    const sizes = shapes.map(() => 0);
    for (const index of order) sizes[of(index)]!++;
    const samples = sizes.map((size) => new Uint32Array(size));
    const filled = shapes.map(() => 0);
    for (const index of order) {
      const bucket = of(index);
      samples[bucket]![filled[bucket]!++] = index;
    }
    const parts = shapes.flatMap((shape, bucket) => partsOf(bucket, sizes[bucket]!, batchSizeOf(shape)));
    const batches = epochOrder(parts.length, seed, this.#epoch, streams.buckets);
    this.#samples = samples;
    this.#parts = Array.from(batches, (place) => parts[place]!);
    this.#offset = 0;
    this.#next = 0;
  }
}

function partsOf(bucket: number, size: number, batchSize: number): Part[] {
  return Array.from({ length: Math.ceil(size / batchSize) }, (_, i) => {
    const first = i * batchSize;
    return { bucket, first, count: Math.min(batchSize, size - first) };
  });
}
