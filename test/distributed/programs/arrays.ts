// Arrays of ranks, made of numbers so that rank and place tell what they hold.
import type { RangedArray } from '../../../src/train/ranks/communicator.ts';

/** What is exchanged in one call: lengths of arrays, and how many ranks cut them. */
export interface Case {
  readonly name: string;
  readonly lengths: readonly number[];
  /** Where ranges begin is a multiple of it: those of small arrays are empty. */
  readonly alignment: number;
}

export const cases: readonly Case[] = [
  { name: 'one array', lengths: [4096], alignment: 16 },
  { name: 'odd lengths', lengths: [1, 2, 3, 5, 997, 10_007], alignment: 1 },
  { name: 'empty ranges', lengths: [0, 1, 15, 16, 17, 31, 64], alignment: 16 },
  { name: 'nothing at all', lengths: [], alignment: 1 },
  { name: 'several buckets', lengths: [1_200_001, 3, 70_000], alignment: 16 },
  { name: 'many arrays', lengths: Array.from({ length: 200 }, (_, i) => (i * 7919) % 5000), alignment: 16 },
];

export function arraysOf({ lengths, alignment }: Case, rank: number, ranks: number): RangedArray[] {
  return lengths.map((length, i) => ({
    values: Float32Array.from({ length }, (_, at) => numberAt(rank, i, at)),
    cuts: Array.from({ length: ranks + 1 }, (__, k) =>
      k === ranks ? length : Math.min(length, Math.floor((k * length) / ranks / alignment) * alignment),
    ),
  }));
}

/** Of many magnitudes, so that sums in another order have other bits. */
function numberAt(rank: number, array: number, at: number): number {
  const mixed = Math.imul((at + 1) * 2654435761 + rank * 40503 + array * 97, 2246822519) >>> 0;
  return Math.fround((mixed / 2 ** 32 - 0.5) * 2 ** ((mixed >>> 5) % 24));
}

/** A rank's own ranges, one after the other. */
export function ownRanges(arrays: readonly RangedArray[], rank: number): Float32Array {
  const parts = arrays.map(({ values, cuts }) => values.subarray(cuts[rank], cuts[rank + 1]));
  const all = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
