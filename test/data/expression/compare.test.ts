import { describe, expect, test } from 'vitest';
import { type CellSet, compareExpression, correlation } from '../../../src/data/expression/compare.ts';
import { fitProjection, project } from '../../../src/data/expression/projection.ts';
import { svgScatter } from '../../../src/data/expression/scatter.ts';
import { heldOutRows } from '../../../src/data/expression/split.ts';
import { variableGenes } from '../../../src/data/expression/variable-genes.ts';
import { randomValues } from '../../support/random.ts';

describe('the comparison', () => {
  const set = (labels: number[], ...cells: number[][]): CellSet => ({
    labels,
    values: Float32Array.from(cells.flat()),
  });
  const heldOut = set([0, 0, 1], [0, 2, 4], [0, 0, 4], [3, 0, 0]);

  test('is of mean expression and of zeros, for each class that all sets have', () => {
    const sets = {
      heldOut,
      trained: set([0, 1], [1, 2, 5], [0, 0, 1]),
      generated: set([0, 0], [4, 0, 0], [4, 2, 0]),
    };
    expect(compareExpression(sets, 3, ['B', 'T', 'none'])).toEqual([
      {
        name: 'B',
        heldOut: { cells: 2, zeros: 0.5 },
        trained: { cells: 1, zeros: 0, correlation: correlation([1, 2, 5], [0, 1, 4]) },
        generated: { cells: 2, zeros: 0.5, correlation: correlation([4, 1, 0], [0, 1, 4]) },
      },
    ]);
  });

  test('refuses sets of other sizes, and labels without a class', () => {
    const sets = { heldOut, trained: heldOut, generated: { ...heldOut, values: new Float32Array(8) } };
    expect(() => compareExpression(sets, 3, ['B', 'T'])).toThrow(
      /generated.values must be \[N, G\] = \[3, 3\], got \[8\]/,
    );
    const same = { heldOut, trained: heldOut, generated: heldOut };
    expect(() => compareExpression(same, 3, ['B'])).toThrow(/labels must be classes from 0 to 0, got 1/);
  });

  test('correlates as Pearson does', () => {
    expect(correlation([1, 2, 3], [2, 4, 6])).toBeCloseTo(1, 12);
    expect(correlation([1, 2, 3], [3, 2, 1])).toBeCloseTo(-1, 12);
    expect(correlation([1, 2, 3, 4], [1, 3, 2, 4])).toBeCloseTo(0.8, 12);
    expect(correlation([1, 1], [0, 1])).toBe(0);
  });
});

describe('the projection', () => {
  test('is onto the two directions in which cells differ most', () => {
    const noise = randomValues(200 * 3, 1);
    // Deviations along the genes of about 5, 0.6 and 2.
    const values = Float32Array.from(noise, (value, i) => [9, 1, 3][i % 3]! * value + 7);
    const projection = fitProjection(values, 3);
    const [first, second] = projection.components;
    expect(first[0]).toBeGreaterThan(0.99);
    expect(second[2]).toBeGreaterThan(0.99);
    const [point] = project(values, projection);
    expect(point![0]).toBeCloseTo(values[0]! - projection.mean[0]!, 0);
  });

  test('of cells that are all alike is one point', () => {
    const points = project(new Float32Array(8).fill(2), fitProjection(new Float32Array(8).fill(2), 4));
    expect(points).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  test('is drawn with a dot for each cell and a name for each class', () => {
    const panel = {
      title: 'real',
      points: [
        [0, 1],
        [2, 3],
      ] as const,
      labels: [0, 1],
    };
    const svg = svgScatter({
      title: 'A & B',
      x: 'PC 1',
      y: 'PC 2',
      panels: [panel, panel],
      classNames: ['T<', 'B'],
    });
    expect(svg.match(/r="2.5"/g)).toHaveLength(4);
    expect(svg).toContain('A &amp; B');
    expect(svg).toContain('T&lt;');
    expect(svg).not.toMatch(/NaN|undefined/);
  });
});

test('the most variable genes stand out from those that are expressed as strongly', () => {
  // Genes 0..9 and 10..19 have the same means; 7 and 13 vary more than their neighbours.
  const mean = Float64Array.from({ length: 20 }, (_, gene) => (gene < 10 ? 1 : 100));
  const variance = mean.map((value, gene) => value * (gene === 7 || gene === 13 ? 5 : 1 + 0.01 * gene));
  expect([...variableGenes({ mean, variance }, 2)]).toEqual([7, 13]);
  // A gene that no cell has comes last.
  mean[7] = 0;
  expect([...variableGenes({ mean, variance }, 19)]).not.toContain(7);
});

test('cells held out are spread over the file, and the same at every opening', () => {
  const held = heldOutRows(new Int32Array(1000), 0, 0.2);
  expect(held.reduce((sum, row) => sum + row, 0)).toBe(200);
  const firstHalf = held.subarray(0, 500).reduce((sum, row) => sum + row, 0);
  expect(Math.abs(firstHalf - 100)).toBeLessThan(30);
  expect(heldOutRows(new Int32Array(1000), 0, 0.2)).toEqual(held);
  expect(heldOutRows(new Int32Array(10), 1, 0).every((row) => row === 0)).toBe(true);
});
