// Philox 4x32-10, the counter-based generator of Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3"
// (SC 2011), and the uniform and normal numbers that are made of it. The native kernels draw the same numbers.
import { valueError } from './errors.ts';

export type Counter = readonly [number, number, number, number];
export type Key = readonly [number, number];

/** Which numbers to draw: they are a function of these fields alone, so any split into batches draws the same ones. */
export interface PhiloxDraw {
  /** An integer in [0, 2^53). */
  readonly seed: number;
  /** Tells apart the draws of one step: noise, times, dropout, ... */
  readonly stream: number;
  readonly step: number;
  /** The index in the global batch of the first sample. */
  readonly firstSample: number;
  readonly samples: number;
  /** Numbers per sample. */
  readonly elements: number;
}

const rounds = 10;
const multipliers = [0xd2511f53, 0xcd9e8d57] as const;
const weyl = [0x9e3779b9, 0xbb67ae85] as const;

/** The upper 32 bits of a 64-bit product, by halves of 16 bits so that every step is exact. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const first = aHigh * bLow + ((aLow * bLow) >>> 16);
  const second = aLow * bHigh + (first & 0xffff);
  return aHigh * bHigh + (first >>> 16) + (second >>> 16);
}

/** Four random words of 32 bits, unsigned. */
export function philox4x32(counter: Counter, key: Key): [number, number, number, number] {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < rounds; round++) {
    const high0 = multiplyHigh(multipliers[0], c0);
    const high1 = multiplyHigh(multipliers[1], c2);
    const low0 = Math.imul(multipliers[0], c0);
    const low1 = Math.imul(multipliers[1], c2);
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1 >>> 0;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0 >>> 0;
    k0 = (k0 + weyl[0]) >>> 0;
    k1 = (k1 + weyl[1]) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** The centre of one of 2^24 equal cells of (0, 1). The last is moved to 1 - 2^-24: float32 would round it to 1. */
function toUniform(word: number): number {
  return Math.min((word >>> 8) + 0.5, 0xffffff) * 2 ** -24;
}

/**
 * Uniform numbers in (0, 1), also once they are rounded to float32.
 * @returns [samples, elements], row-major
 * @throws RectiflowError where the seed is no integer in [0, 2^53)
 */
export function philoxUniform(draw: PhiloxDraw): Float64Array {
  return fill(draw, (u0, u1, u2, u3) => [u0, u1, u2, u3]);
}

/**
 * Standard normal numbers: words (0, 1) and (2, 3) of a block each give a pair (Box & Muller 1958).
 * @returns [samples, elements], row-major
 * @throws RectiflowError where the seed is no integer in [0, 2^53)
 */
export function philoxNormal(draw: PhiloxDraw): Float64Array {
  return fill(draw, (u0, u1, u2, u3) => {
    const [n0, n1] = boxMuller(u0, u1);
    const [n2, n3] = boxMuller(u2, u3);
    return [n0, n1, n2, n3];
  });
}

function boxMuller(u0: number, u1: number): [number, number] {
  const radius = Math.sqrt(-2 * Math.log(u0));
  const angle = 2 * Math.PI * u1;
  return [radius * Math.cos(angle), radius * Math.sin(angle)];
}

/** From four uniform numbers. Numbers, not arrays, go in: a large model's first weights are hundreds of millions of draws. */
type Transform = (
  u0: number,
  u1: number,
  u2: number,
  u3: number,
) => readonly [number, number, number, number];

/** Element j of a sample is number j mod 4 of the block with counter (floor(j / 4), sample, step, stream). */
function fill(draw: PhiloxDraw, transform: Transform): Float64Array {
  const { seed, stream, step, firstSample, samples, elements } = draw;
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw valueError('philox', 'seed', 'an integer in [0, 2^53)', seed);
  }
  const key: Key = [seed >>> 0, Math.floor(seed / 2 ** 32)];
  const values = new Float64Array(samples * elements);
  for (let sample = 0; sample < samples; sample++) {
    for (let start = 0; start < elements; start += 4) {
      const [w0, w1, w2, w3] = philox4x32([start >>> 2, firstSample + sample, step, stream], key);
      const block = transform(toUniform(w0), toUniform(w1), toUniform(w2), toUniform(w3));
      const count = Math.min(4, elements - start);
      for (let lane = 0; lane < count; lane++) values[sample * elements + start + lane] = block[lane]!;
    }
  }
  return values;
}
