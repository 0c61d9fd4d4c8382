import fc from 'fast-check';
import { expect, it } from 'vitest';
import { divide, partsInOrder } from '../../src/train/division.ts';

const steps = fc
  .tuple(fc.constantFrom(1, 2, 4, 8, 16), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 20 }))
  .map(([shards, shardSize, microBatch]) => ({ shards, batch: shards * shardSize, microBatch }));

it('every sample is in one part, and no part in two shards', () => {
  fc.assert(
    fc.property(steps, ({ shards, batch, microBatch }) => {
      const division = divide({ batch, shards }, microBatch);
      const parts = partsInOrder(division);
      expect(parts).toHaveLength(division.parts);
      expect(parts.flatMap(({ first, count }) => Array.from({ length: count }, (_, i) => first + i))).toEqual(
        Array.from({ length: batch }, (_, i) => i),
      );
      for (const { first, count } of parts) {
        expect(count).toBeLessThanOrEqual(Math.min(microBatch, division.size));
        const [shard, last] = [first, first + count - 1].map((i) => Math.floor(i / (batch / shards)));
        expect(last).toBe(shard);
      }
    }),
  );
});

/** What the total of a step's parts is, as text. */
function sumOf(batch: number, shards: number, microBatch: number): string {
  const division = divide({ batch, shards }, microBatch);
  const sums: string[] = Array.from({ length: division.sums }, () => 'left over');
  for (const { index, taken, made } of partsInOrder(division))
    sums[made] = taken.reduce((added, sum) => `(${sums[sum]} + ${added})`, String(index));
  return sums.at(-1)!;
}

it('shards are added up as neighbours, then pairs of them, to the whole', () => {
  expect(sumOf(1, 1, 1)).toBe('0');
  expect(sumOf(2, 2, 1)).toBe('(0 + 1)');
  expect(sumOf(16, 8, 2)).toBe('(((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)))');
});

it('parts of a shard are added up before', () => {
  expect(sumOf(4, 1, 1)).toBe('(((0 + 1) + 2) + 3)');
  expect(sumOf(12, 4, 1)).toBe('((((0 + 1) + 2) + ((3 + 4) + 5)) + (((6 + 7) + 8) + ((9 + 10) + 11)))');
});

it('as few sums are kept as the tree needs', () => {
  const sums = (shards: number, microBatch: number): number => divide({ batch: 16, shards }, microBatch).sums;
  expect([sums(1, 16), sums(1, 4), sums(8, 2), sums(8, 1), sums(16, 1)]).toEqual([1, 1, 3, 4, 4]);
});

it('a step of one shard is divided as it always was', () => {
  const parts = partsInOrder(divide({ batch: 7 }, 3));
  expect(parts.map(({ first, count, taken, made }) => [first, count, taken, made])).toEqual([
    [0, 3, [], 0],
    [3, 3, [0], 0],
    [6, 1, [0], 0],
  ]);
});
