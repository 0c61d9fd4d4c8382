import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { histogramOf } from '../../src/sinks/histogram.ts';

describe('a histogram', () => {
  it('counts by bins of equal width, the largest value in the last', () => {
    const values = Array.from({ length: 31 }, (_, i) => i - 10);
    const { min, max, sum, sumSquares, counts, edges } = histogramOf(values)!;
    expect([min, max, sum]).toEqual([-10, 20, 155]);
    expect(sumSquares).toBe(values.reduce((total, value) => total + value * value, 0));
    expect(edges).toEqual(values);
    expect(counts).toEqual([...new Array<number>(29).fill(1), 2]);
  });

  it('leaves out what is not finite, and there is none of nothing', () => {
    expect(histogramOf([1, NaN, Infinity, 3])).toEqual(histogramOf([1, 3]));
    expect(histogramOf([NaN])).toBeUndefined();
    expect(histogramOf([])).toBeUndefined();
  });

  it('of any values: none is lost, and limits ascend', () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 }),
        (values) => {
          const { counts, edges } = histogramOf(values)!;
          expect(counts.reduce((total, count) => total + count)).toBe(values.length);
          expect(edges).toHaveLength(counts.length + 1);
          expect(edges.every((edge, i) => i === 0 || edge >= edges[i - 1]!)).toBe(true);
        },
      ),
    );
  });
});
