import { describe, expect, it } from 'vitest';
import { addWeighted, cut, leastTile, tile, weightsOf } from '../../src/latents/tiles.ts';

describe('tiles of a side', () => {
  it.each([
    [100, 1, 14],
    [100, 2, 14],
    [100, 3, 14],
    [101, 4, 6],
    [64, 5, 3],
    [7, 2, 1],
  ])('of %i in %i, that overlap by %i, cover it evenly', (side, count, overlap) => {
    const { size, starts } = tile(side, count, overlap);
    expect(starts).toHaveLength(count);
    expect(starts[0]).toBe(0);
    expect(starts.at(-1)! + size).toBe(side);
    starts.slice(1).forEach((start, i) => {
      expect(starts[i]! + size - start).toBeGreaterThanOrEqual(overlap);
    });
  });

  it('of the least size meet in pairs alone', () => {
    for (let side = 40; side < 80; side++) {
      for (let count = 3; count < 12; count++) {
        const { size, starts } = tile(side, count, 5);
        if (size < leastTile(5)) continue;
        starts.slice(2).forEach((start, i) => expect(start).toBeGreaterThanOrEqual(starts[i]! + size));
      }
    }
  });

  it.each([true, false])('say each pixel once in all (blended: %j)', (isBlended) => {
    for (const count of [1, 2, 3, 5]) {
      const tiling = tile(61, count, 4);
      const total = new Float64Array(61 * 3);
      weightsOf(tiling, 3, isBlended).forEach((weights, i) =>
        weights.forEach((weight, at) => {
          total[tiling.starts[i]! * 3 + at]! += weight;
        }),
      );
      total.forEach((sum) => expect(sum).toBeCloseTo(1, 6));
    }
  });

  it('that are blended fade alike into each other', () => {
    const [first, second] = weightsOf(tile(50, 2, 10), 2, true);
    first!.toReversed().forEach((weight, at) => expect(weight).toBeCloseTo(second![at]!, 6));
  });

  it('that are not blended leave out what is near their ends', () => {
    const tiling = tile(50, 2, 10);
    const [first, second] = weightsOf(tiling, 1, false);
    expect([...first!.slice(-5), ...second!.slice(0, 5)]).toEqual(Array.from({ length: 10 }, () => 0));
    expect(new Set([...first!, ...second!])).toEqual(new Set([0, 1]));
  });
});

it('parts of a picture are cut out and put back where they were', () => {
  const picture = { channels: 2, height: 4, width: 5 };
  const values = Float32Array.from({ length: 40 }, (_, i) => i);
  const part = { channels: 2, height: 2, width: 3 };
  const cutOut = cut(values, picture, part, 1, 2);
  expect([...cutOut]).toEqual([7, 8, 9, 12, 13, 14, 27, 28, 29, 32, 33, 34]);
  const back = new Float32Array(40);
  const [rows, columns] = [Float32Array.of(1, 0.5), Float32Array.of(1, 1, 0.25)];
  addWeighted(back, picture, cutOut, rows, columns, 1, 2);
  expect(Array.from(back.subarray(5, 15))).toEqual([0, 0, 7, 8, 2.25, 0, 0, 6, 6.5, 1.75]);
  expect(Array.from(back.subarray(25, 35))).toEqual([0, 0, 27, 28, 7.25, 0, 0, 16, 16.5, 4.25]);
});
