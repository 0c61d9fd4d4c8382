import { dataError } from '../tensor/errors.ts';
import { Sampler } from './sampler.ts';
import type { SamplerPosition } from './sampler.ts';
import { imageSize } from './source.ts';
import type { Source } from './source.ts';

export interface Batch {
  /** [B, C, H, W] in [-1, 1]. */
  readonly images: Float32Array;
  /** [B]; -1 where the source has no classes. */
  readonly labels: Int32Array;
  /** Where the data stands once this batch is learnt: what a checkpoint has to store. */
  readonly position: SamplerPosition;
}

export interface LoaderOptions {
  readonly batchSize: number;
  readonly seed: number;
  /** Where to go on; by default the start of the first epoch. */
  readonly position?: SamplerPosition;
  /** Batches that are held ready, which bounds the memory; 2 by default. */
  readonly prefetch?: number;
}

/**
 * An endless row of batches, each read while the step before it runs: `next` hands over a batch and starts preparing
 * another once the caller has given the event loop back.
 */
export class Loader implements AsyncIterable<Batch> {
  readonly #source: Source;
  readonly #sampler: Sampler;
  readonly #prefetch: number;
  readonly #ready: Promise<Batch>[] = [];
  #closed = false;

  /** @throws RectiflowError when the batch size or the position does not fit the source */
  constructor(source: Source, options: LoaderOptions) {
    const { batchSize, seed, position, prefetch = 2 } = options;
    this.#source = source;
    this.#sampler = new Sampler({ count: source.count, batchSize, seed, ...(position && { position }) });
    this.#prefetch = Math.max(1, prefetch);
  }

  /** @throws RectiflowError naming the sample whose label is out of range or that the source cannot read */
  async next(): Promise<Batch> {
    this.#fill();
    const batch = this.#ready.shift();
    if (batch === undefined) throw dataError(this.#source.name, 'the loader is closed', 'Make a new one');
    setImmediate(() => this.#fill());
    return batch;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Batch, void, void> {
    try {
      for (;;) yield await this.next();
    } finally {
      this.close();
    }
  }

  /** Reads no further. Batches that are ready are dropped: they count as not yet seen. */
  close(): void {
    this.#closed = true;
    this.#ready.length = 0;
  }

  #fill(): void {
    while (!this.#closed && this.#ready.length < this.#prefetch) {
      const batch = this.#prepare();
      // The failure belongs to whoever asks for this batch, which may be later than it happens.
      batch.catch(() => {});
      this.#ready.push(batch);
    }
  }

  async #prepare(): Promise<Batch> {
    const source = this.#source;
    const size = imageSize(source.shape);
    const { indices, position } = this.#sampler.next();
    const images = new Float32Array(indices.length * size);
    const reads = Array.from(indices, (index, i) => source.read(index, images, i * size));
    const labels = Int32Array.from(await Promise.all(reads));
    const { classes } = source;
    if (classes !== undefined) {
      labels.forEach((label, i) => {
        if (label >= 0 && label < classes) return;
        const problem = `sample ${indices[i]} has label ${label}, outside of [0, ${classes})`;
        throw dataError(source.name, problem, 'Correct the label, or the number of classes');
      });
    }
    return { images, labels, position };
  }
}
