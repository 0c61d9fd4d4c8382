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
      for (const { first, count, beginsShard } of parts) {
        expect(count).toBeLessThanOrEqual(Math.min(microBatch, division.size));
        expect(beginsShard).toBe(first % (batch / shards) === 0);
        const [shard, last] = [first, first + count - 1].map((i) => Math.floor(i / (batch / shards)));
        expect(last).toBe(shard);
      }
    }),
  );
});

it('shards are added up as neighbours, then pairs of them, to the whole', () => {
  const levels: string[][] = [[], [], [], []];
  const sums: (string | undefined)[] = [];
  for (const { first, folds } of partsInOrder(divide({ batch: 16, shards: 8 }, 1))) {
    sums[0] = String(Math.floor(first / 2));
    for (const { level, restart } of folds) {
      sums[level + 1] = restart ? sums[level]! : `(${sums[level + 1]} + ${sums[level]})`;
      if (!restart) levels[level + 1]!.push(sums[level + 1]!);
    }
  }
  expect(levels[1]).toEqual(['(0 + 1)', '(2 + 3)', '(4 + 5)', '(6 + 7)']);
  expect(levels[3]).toEqual(['(((0 + 1) + (2 + 3)) + ((4 + 5) + (6 + 7)))']);
});

it('a step of one shard is divided as it always was', () => {
  const parts = partsInOrder(divide({ batch: 7 }, 3));
  expect(
    parts.map(({ first, count, beginsShard, folds }) => [first, count, beginsShard, folds.length]),
  ).toEqual([
    [0, 3, true, 0],
    [3, 3, false, 0],
    [6, 1, false, 0],
  ]);
});
