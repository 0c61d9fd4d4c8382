import { dataError, valueError } from '../tensor/errors.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import { othersTurn } from '../tensor/turn.ts';
import type { BadSampleOptions } from './bad-samples.ts';
import { keepSamples } from './kept-samples.ts';
import { Limit } from './limit.ts';
import { SampleReader } from './sample-reader.ts';
import { orderOf } from './orders.ts';
import type { Order, SamplerPosition } from './sampler.ts';
import type { Annotation, Source } from './source.ts';

export interface Batch {
  /** [B, ...shape]; images are in [-1, 1]. */
  readonly values: Float32Array;
  /** Of one of its samples. */
  readonly shape: Shape;
  /** The index in the global batch of the first sample here: what is drawn for a sample is a function of its index. */
  readonly firstSample: number;
  /** [B], of the samples in the source; another one stands in for one that is skipped. */
  readonly indices: Uint32Array;
  /** [B] */
  readonly annotations: readonly Annotation[];
  /** Where the data stands once this batch is learnt: what a checkpoint has to store. */
  readonly position: SamplerPosition;
}

export interface LoaderOptions extends BadSampleOptions {
  /** Samples of a batch here; with `ranks` machines a step learns from so many times as many. */
  readonly batchSize: number;
  /** Of a source that is read at several shapes, as many samples of a shape as a batch here has; `batchSize` by default. */
  readonly batchSizeOf?: ((shape: Shape) => number) | undefined;
  readonly seed: number;
  /** Where to go on; by default the start of the first epoch. */
  readonly position?: SamplerPosition;
  /** Batches that are held ready, which bounds the memory; 2 by default. */
  readonly prefetch?: number;
  /** Samples that are read and decoded at a time; 4 by default. Results do not depend on it. */
  readonly workers?: number;
  /** Memory for decoded images of a set that fits into it and has no random transforms; 256 by default, 0 for none. */
  readonly cacheMiB?: number;
  /** Whether annotations tell how images were cropped and resized, where that is known. */
  readonly placement?: boolean | undefined;
  /** Which of `ranks` machines this is: each reads its own part of every global batch. */
  readonly rank?: number;
  readonly ranks?: number;
}

/**
 * An endless row of batches, each read while the step before it runs: `next` hands over a batch and starts preparing
 * another once the caller has given the event loop back.
 */
export class Loader implements AsyncIterable<Batch> {
  readonly #source: Source;
  readonly #reader: SampleReader;
  readonly #order: Order;
  readonly #options: LoaderOptions;
  readonly #limit: Limit;
  readonly #ready: Promise<Batch>[] = [];
  #closed = false;

  /** @throws RectiflowError when a number is none that it can be, or the position does not fit the source */
  constructor(source: Source, options: LoaderOptions) {
    const {
      batchSize,
      seed,
      position,
      prefetch = 2,
      workers = 4,
      cacheMiB = 256,
      rank = 0,
      ranks = 1,
    } = options;
    for (const [name, value] of Object.entries({ batchSize, prefetch, workers, ranks })) {
      if (!Number.isSafeInteger(value) || value < 1)
        throw valueError('loader', name, 'a whole number above 0', value);
    }
    if (!Number.isSafeInteger(rank) || rank < 0 || rank >= ranks)
      throw valueError('loader', 'rank', `a whole number from 0, below ${ranks}`, rank);
    this.#source = source;
    const kept = keepSamples(source, cacheMiB * 2 ** 20);
    this.#reader = new SampleReader(kept, options);
    const { batchSizeOf = () => batchSize } = options;
    this.#order = orderOf(source, {
      batchSize: batchSize * ranks,
      batchSizeOf: (shape) => batchSizeOf(shape) * ranks,
      seed,
      ...(position && { position }),
    });
    this.#options = options;
    this.#limit = new Limit(workers);
  }

  /** Different samples that were skipped so far. */
  get skipped(): number {
    return this.#reader.skipped;
  }

  /** Which. */
  get skippedIndices(): readonly number[] {
    return this.#reader.skippedIndices;
  }

  /** A sentence on all that were skipped; undefined where none was. */
  get skippedSummary(): string | undefined {
    return this.#reader.summary;
  }

  /** Of all that were skipped here or elsewhere. */
  summaryWith(skippedElsewhere: Iterable<number>): string | undefined {
    return this.#reader.summaryWith(skippedElsewhere);
  }

  /**
   * @param signal ends the wait for a batch, whose samples may never come from a disk or a share that has gone
   * @returns undefined where the signal came before
   * @throws RectiflowError naming the sample that cannot be read or whose label is out of range
   */
  next(): Promise<Batch>;
  next(signal: AbortSignal | undefined): Promise<Batch | undefined>;
  async next(signal?: AbortSignal): Promise<Batch | undefined> {
    this.#fill();
    const batch = this.#ready.shift();
    if (batch === undefined) throw dataError(this.#source.name, 'the loader is closed', 'Make a new one');
    void othersTurn().then(() => this.#fill());
    return signal ? unlessAborted(batch, signal) : batch;
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
    this.#reader.close();
  }

  #fill(): void {
    const { prefetch = 2 } = this.#options;
    while (!this.#closed && this.#ready.length < prefetch) {
      const batch = this.#prepare();
      // The failure belongs to whoever asks for this batch, which may be later than it happens.
      batch.catch(() => {});
      this.#ready.push(batch);
    }
  }

  async #prepare(): Promise<Batch> {
    const { seed, rank = 0, ranks = 1, placement } = this.#options;
    const sampled = this.#order.next();
    const { indices, epochs, position, shape = this.#source.shape } = sampled;
    const batchSize = indices.length / ranks;
    const size = sizeOf(shape);
    const values = new Float32Array(batchSize * size);
    const reads = Array.from({ length: batchSize }, (_, i) => {
      const at = rank * batchSize + i;
      const key = {
        seed,
        epoch: epochs[at]!,
        ...(sampled.shape && { shape }),
        ...(placement && { placement }),
      };
      return this.#limit.run(() => this.#reader.read(indices[at]!, values, i * size, key));
    });
    return {
      values,
      shape,
      firstSample: rank * batchSize,
      indices: indices.slice(rank * batchSize, (rank + 1) * batchSize),
      annotations: await Promise.all(reads),
      position,
    };
  }
}

/** `Promise.race` would keep a reaction of every batch for as long as the signal lives. */
function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const stop = (): void => resolve(undefined);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}
