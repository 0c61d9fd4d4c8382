import { describe, expect, test } from 'vitest';
import { type Agreement, type CellSet, compareExpression } from '../../../src/report/expression/compare.ts';
import { fitProjection, project, toPoints } from '../../../src/data/expression/principal-components.ts';
import { svgScatter } from '../../../src/pictures/scatter.ts';
import { heldOutRows } from '../../../src/sources/expression/split.ts';
import { variableGenes } from '../../../src/sources/expression/variable-genes.ts';
import { philoxNormal } from '../../../src/tensor/philox.ts';
import { randomValues } from '../../support/random.ts';

const genes = 12;

/** Cells of two types, of which genes 0 to 5 move together, and of type 1 the last three are higher. */
function cells(stream: number, count: number, spread = 1): CellSet {
  const noise = philoxNormal({
    seed: 1,
    stream,
    step: 0,
    firstSample: 0,
    samples: count,
    elements: genes + 1,
  });
  const labels = Array.from({ length: count }, (_, cell) => cell % 2);
  const values = Float32Array.from({ length: count * genes }, (_, i) => {
    const [cell, gene] = [Math.floor(i / genes), i % genes];
    const own = noise[cell * (genes + 1) + gene]!;
    const shared = gene < 6 ? 2 * noise[cell * (genes + 1) + genes]! : 0;
    return 5 + (gene >= 9 && labels[cell] === 1 ? 3 : 0) + spread * (own + shared);
  });
  return { values, labels };
}

describe('the comparison', () => {
  const [heldOut, trained] = [cells(1, 120), cells(2, 120)];
  const compare = (generated: CellSet): Agreement =>
    compareExpression({ heldOut, trained, generated }, genes, ['B', 'T']).all.generated;

  test('sees nothing between cells of one distribution, and a shuffle, a narrow set and copies for what they are', () => {
    const { all, classes } = compareExpression({ heldOut, trained, generated: cells(3, 120) }, genes, [
      'B',
      'T',
    ]);
    for (const same of [all.generated, all.trained]) {
      expect(same.correlation).toBeGreaterThan(0.95);
      expect(Math.abs(same.geneVariance - 1)).toBeLessThan(0.25);
      expect(Math.abs(same.componentVariance - 1)).toBeLessThan(0.25);
      expect(same.geneCorrelation).toBeGreaterThan(0.9);
      expect(Math.abs(same.foldChangeSlope! - 1)).toBeLessThan(0.25);
      expect(Math.abs(same.mmd)).toBeLessThan(0.01);
      expect(Math.abs(same.auc! - 0.5)).toBeLessThan(0.1);
    }
    expect(Math.abs(all.generated.nearTrained - 0.5)).toBeLessThan(0.1);
    expect(all.trained.nearTrained).toBe(1);
    expect(all.shuffled.geneVariance).toBeCloseTo(all.trained.geneVariance, 4);
    expect(all.shuffled.correlation).toBeCloseTo(all.trained.correlation, 6);
    expect(all.shuffled.geneCorrelation).toBeLessThan(0.3);
    // Of 12 genes all 12 components are looked along: what the first lose, the last gain.
    expect(all.shuffled.componentVariance).toBeGreaterThan(1.5);
    expect(all.shuffled.auc).toBeGreaterThan(0.8);
    expect(all.gaussian.geneCorrelation).toBeGreaterThan(0.9);
    expect(all.gaussian.auc).toBeLessThan(0.65);
    expect(classes.map(({ name, cells: count }) => [name, count])).toEqual([
      ['B', 60],
      ['T', 60],
    ]);

    const narrow = compare(cells(3, 120, 0.5));
    expect(narrow.geneVariance).toBeLessThan(0.6);
    expect(narrow.componentVariance).toBeLessThan(0.35);
    expect(narrow.auc).toBeGreaterThan(0.75);
    expect(narrow.mmd).toBeGreaterThan(0.02);
    expect(compare(trained).nearTrained).toBe(1);
    const mixedUp = compare({
      ...cells(3, 120),
      labels: Array.from(cells(3, 120).labels, (label) => 1 - label),
    });
    expect(mixedUp.foldChangeSlope).toBeLessThan(-0.8);
  });

  test('compares how genes correlate within classes, wherever these lie, and no class of a single cell', () => {
    const made = cells(3, 120);
    const apart = {
      ...made,
      values: made.values.map(
        (value, i) => value + ((i % genes) % 3) * (10 + 40 * made.labels[Math.floor(i / genes)]!),
      ),
    };
    expect(compare(apart).geneCorrelation).toBeCloseTo(compare(made).geneCorrelation, 4);
    const sets = { heldOut, trained, generated: cells(3, 3) };
    const { all, classes, leftOut } = compareExpression(sets, genes, ['B', 'T']);
    expect([all.cells, classes.length, leftOut]).toEqual([2, 1, ['T']]);
  });

  test('takes as many cells of each class from every set, and names the classes that it cannot compare', () => {
    const few = {
      values: trained.values.subarray(0, 21 * genes),
      labels: Array.from(trained.labels).slice(0, 21),
    };
    const compared = compareExpression({ heldOut, trained: few, generated: cells(3, 30) }, genes, [
      'B',
      'T',
      'none',
    ]);
    expect(compared.all.cells).toBe(21);
    expect(compared.classes.map((group) => group.cells)).toEqual([11, 10]);
    expect(compared.classes[0]!.generated).not.toHaveProperty('auc');
    expect(compared.leftOut).toEqual(['none']);
  });

  test('counts zeros, and passes what the Gaussian makes through what files hold', () => {
    const finish = ({ values }: CellSet): Float32Array => new Float32Array(values.length);
    const zeros = { ...heldOut, values: heldOut.values.map((value, i) => (i % 4 === 0 ? 0 : value)) };
    const { all } = compareExpression({ heldOut: zeros, trained, generated: trained }, genes, ['B', 'T'], {
      finish,
    });
    expect([all.zeros, all.trained.zeros, all.gaussian.zeros]).toEqual([0.25, 0, 1]);
  });

  test('refuses sets of other sizes, and labels without a class', () => {
    const sets = { heldOut, trained: heldOut, generated: { ...heldOut, values: new Float32Array(8) } };
    expect(() => compareExpression(sets, genes, ['B', 'T'])).toThrow(
      /generated.values must be \[N, G\] = \[120, 12\], got \[8\]/,
    );
    const same = { heldOut, trained: heldOut, generated: heldOut };
    expect(() => compareExpression(same, genes, ['B'])).toThrow(/labels must be classes from 0 to 0, got 1/);
  });
});

describe('the projection', () => {
  test('is onto the two directions in which cells differ most', () => {
    const noise = randomValues(200 * 3, 1);
    // Deviations along the genes of about 5, 0.6 and 2.
    const values = Float32Array.from(noise, (value, i) => [9, 1, 3][i % 3]! * value + 7);
    const projection = fitProjection(values, 3, 2);
    const [first, second] = projection.components;
    expect(first![0]).toBeGreaterThan(0.99);
    expect(second![2]).toBeGreaterThan(0.99);
    const [point] = toPoints(project(values, projection), 2);
    expect(point![0]).toBeCloseTo(values[0]! - projection.mean[0]!, 0);
  });

  test('of cells that are all alike is one point', () => {
    const alike = new Float32Array(8).fill(2);
    const projection = fitProjection(alike, 4, 2);
    expect(projection.components).toHaveLength(1);
    expect(toPoints(project(alike, projection), 1)).toEqual([
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
