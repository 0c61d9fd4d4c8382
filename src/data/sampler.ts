import { valueError } from '../tensor/errors.ts';
import { philox4x32 } from '../tensor/philox.ts';
import { streams } from '../tensor/random-streams.ts';
import type { Shape } from '../tensor/shape.ts';

/** How far training has read: `offset` samples of epoch `epoch` (from 0) are done. Plain data, stored in checkpoints. */
export interface SamplerPosition {
  readonly epoch: number;
  readonly offset: number;
  /** Batches so far, of a set that is read at several sizes: which one is next is a function of it. */
  readonly batches?: number;
}

/** Passes over the data so far. */
export function epochsOf({ epoch, offset }: SamplerPosition, { count }: { readonly count: number }): number {
  return epoch + offset / count;
}

export interface SamplerOptions {
  readonly count: number;
  /** Of the global batch: what all machines learn from in one step. */
  readonly batchSize: number;
  readonly seed: number;
  /** The start of epoch 0 by default. */
  readonly position?: SamplerPosition;
}

/**
 * The order in which an epoch reads `count` samples: a uniform permutation that is a pure function of (seed, epoch), by the
 * shuffle of Fisher and Yates.
 */
export function epochOrder(
  count: number,
  seed: number,
  epoch: number,
  stream: number = streams.order,
): Uint32Array {
  const order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  const key = [seed >>> 0, Math.floor(seed / 2 ** 32)] as const;
  let words = philox4x32([0, 0, epoch, stream], key);
  for (let i = count - 1, draw = 0; i > 0; i--, draw++) {
    if (draw % 2 === 0) words = philox4x32([draw / 2, 0, epoch, stream], key);
    const high = draw % 2 === 0 ? words[0] : words[2];
    const low = draw % 2 === 0 ? words[1] : words[3];
    // 53 bits: the bias towards some places is below count / 2^53.
    const uniform = ((high >>> 5) * 2 ** 26 + (low >>> 6)) * 2 ** -53;
    const j = Math.floor(uniform * (i + 1));
    const swapped = order[i]!;
    order[i] = order[j]!;
    order[j] = swapped;
  }
  return order;
}

/** A batch's samples, each with the epoch that it is read in, and the position behind them. */
export interface SampledBatch {
  readonly indices: Uint32Array;
  readonly epochs: Uint32Array;
  readonly position: SamplerPosition;
  /** Of its samples, where a set has several. */
  readonly shape?: Shape;
}

/** Batches of sample indices without end. */
export interface Order {
  next(): SampledBatch;
}

/** Batches of sample indices without end. A batch that meets the end of an epoch goes on in the next: none is short. */
export class Sampler implements Order {
  readonly #count: number;
  readonly #batchSize: number;
  readonly #seed: number;
  #epoch: number;
  #offset: number;
  #order: Uint32Array;

  /** @throws RectiflowError when a number is no positive integer, or the position lies outside of the set */
  constructor({ count, batchSize, seed, position = { epoch: 0, offset: 0 } }: SamplerOptions) {
    checkSampler({ count, batchSize }, position);
    const { epoch, offset } = position;
    this.#count = count;
    this.#batchSize = batchSize;
    this.#seed = seed;
    this.#epoch = epoch;
    this.#offset = offset;
    this.#order = epochOrder(count, seed, epoch);
  }

  /** @param batchSize of this batch, where they differ */
  next(batchSize: number = this.#batchSize): SampledBatch {
    const indices = new Uint32Array(batchSize);
    const epochs = new Uint32Array(batchSize);
    for (let filled = 0; filled < indices.length;) {
      const part = this.#order.subarray(this.#offset, this.#offset + indices.length - filled);
      indices.set(part, filled);
      epochs.fill(this.#epoch, filled, filled + part.length);
      filled += part.length;
      this.#offset += part.length;
      if (this.#offset === this.#count) {
        this.#epoch++;
        this.#offset = 0;
        this.#order = epochOrder(this.#count, this.#seed, this.#epoch);
      }
    }
    return { indices, epochs, position: { epoch: this.#epoch, offset: this.#offset } };
  }
}

/** @throws RectiflowError when a number is no positive integer, or the position lies outside of the set */
export function checkSampler(
  { count, batchSize }: Pick<SamplerOptions, 'count' | 'batchSize'>,
  position: SamplerPosition,
): void {
  for (const [name, value] of Object.entries({ count, batchSize })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw valueError('sampler', name, 'a whole number above 0', value);
    }
  }
  const { epoch, offset } = position;
  const isInside = [epoch, offset].every((each) => Number.isInteger(each) && each >= 0) && offset < count;
  if (isInside) return;
  const wanted = `an epoch from 0 and an offset below ${count}, the number of samples (has the data set changed?)`;
  throw valueError('sampler', 'position', wanted, JSON.stringify(position));
}
