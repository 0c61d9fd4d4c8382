import { describe, expect, test } from 'vitest';
import type { ExpressionRecord } from '../../../src/data/expression/record.ts';
import { COUNTS, NORMALIZED, TINY, expectCells, kinds, temporaryFiles } from '../../support/cells.ts';

const { open } = temporaryFiles();

/** Of a cell what one count has become, and its counts. */
const MULTIPLES = [
  [0.7, 1, 3, 2],
  [1.9, 2, 1, 5],
  [0.4, 4, 1, 0],
];

describe('normalisation', () => {
  const logarithms = NORMALIZED;

  test('of logarithms is not done twice', async () => {
    const source = await open({ X: logarithms });
    expect(source.record).toMatchObject({ normalize: 'none' });
    expect(source.record).not.toHaveProperty('totals');
    expectCells(source, logarithms);
  });

  test.each<[string, number[][], number | undefined]>([
    ['one total for each cell', logarithms.slice(0, 3), undefined],
    [
      'multiples of a count',
      MULTIPLES.map(([unit, ...counts]) => counts.map((count) => Math.log1p(unit! * count))),
      undefined,
    ],
    ['one total, to another base', logarithms.slice(0, 3).map((cell) => cell.map((v) => v / Math.LN2)), 2],
  ])('of logarithms that give %s goes without remark', async (_, X, logBase) => {
    const genes = TINY.genes.slice(-X[0]!.length);
    const source = await open({ X, cells: 3, genes, ...(logBase && { logBase }) });
    expect(source.record).toMatchObject({ normalize: 'none' });
    expect(source.remarks).toEqual([]);
  });

  test('of fractional counts is asked for', async () => {
    const X = [
      [4.31, 0.27, 3.9, 0],
      [0.4, 1.17, 0, 0.63],
      [1.02, 0.55, 2.3, 5.8],
      [0.1, 0.73, 0, 0.34],
    ];
    const { remarks, record } = await open({ X });
    expect(record).toMatchObject({ normalize: 'none' });
    expect(remarks!.join()).toMatch(
      /taken as they are, as logarithms of counts.*set data\.normalize to log1p/,
    );
    for (const normalize of ['none', 'log1p'] as const)
      expect((await open({ X }, { normalize })).remarks).toEqual([]);
  });

  test('knows the base of logarithms where genes are chosen', async () => {
    const cells = 8;
    const draws = Array.from({ length: cells * 6 }, (_, i) => ((i * 7919) % 13) * ((i % 6) + 1));
    const rows = (scale: number): number[][] =>
      Array.from({ length: cells }, (_, cell) =>
        draws.slice(cell * 6, cell * 6 + 6).map((value) => Math.log1p(value / 7) / scale),
      );
    const genes = ['g0', 'g1', 'g2', 'g3', 'g4', 'g5'];
    const chosen = async (scale: number, logBase?: number): Promise<readonly string[]> => {
      const file = { X: rows(scale), cells, genes, ...(logBase && { logBase }) };
      return ((await open(file, { variableGenes: 3 })).record as ExpressionRecord).genes;
    };
    expect(await chosen(Math.log(2), 2)).toEqual(await chosen(1));
    expect(await chosen(Math.log(10), 10)).toEqual(await chosen(1));
    expect(await chosen(Math.log(10))).not.toEqual(await chosen(1));
  });

  test('of large numbers that are no counts is done', async () => {
    const source = await open({ X: COUNTS.map((cell) => cell.map((count) => 1000.5 * count)) });
    expect(source.record).toMatchObject({ normalize: 'log1p' });
    expectCells(source, NORMALIZED);
  });

  test('none leaves scaled values as they are', async () => {
    const X = [[-1.5, 2, 0, 1], ...COUNTS.slice(1)];
    const source = await open({ X }, { normalize: 'none' });
    expectCells(source, X);
    expect(source.record).not.toHaveProperty('zeroBelow');
    await expect(open({ X }, { normalize: 'none', variableGenes: 2 })).rejects.toThrow(
      /there are negative ones/,
    );
  });

  test('scales all values, or each gene, to mean 0 and deviation 1', async () => {
    for (const scaleGenes of [false, true]) {
      const source = await open({}, { scaleGenes });
      const out = new Float32Array(16);
      for (let cell = 0; cell < 4; cell++) void source.read(cell, out, 4 * cell, { seed: 0, epoch: 0 });
      const groups = scaleGenes ? [0, 1, 2, 3].map((gene) => out.filter((_, i) => i % 4 === gene)) : [out];
      for (const values of groups) {
        const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
        const variance = values.reduce((sum, value) => sum + value ** 2, 0) / values.length - mean ** 2;
        expect(mean).toBeCloseTo(0, 5);
        expect(variance).toBeCloseTo(1, 5);
      }
      expectCells(source, NORMALIZED);
    }
  });

  test('records half of what one count becomes, and the totals of each class', async () => {
    const { record } = await open({ obs: { kind: kinds } }, { label: 'kind' });
    const { zeroBelow, totals, label } = record as ExpressionRecord;
    // One count of one; one and four of eight. The cell of zeros has none.
    expect(zeroBelow![0]).toBeCloseTo(Math.log1p(100) / 2, 5);
    expect(zeroBelow![1]).toBeCloseTo((Math.log1p(12.5) + Math.log1p(50)) / 4, 5);
    expect(totals!.map((quantiles) => [quantiles[0], quantiles[50], quantiles[100]])).toEqual([
      [0, 0.5, 1],
      [8, 8, 8],
    ]);
    expect(label).toBe('kind');
  });

  test('totals count all genes, whichever are kept', async () => {
    const source = await open({}, { variableGenes: 2 });
    const { genes } = source.record as ExpressionRecord;
    expect(genes).toHaveLength(2);
    expectCells(
      source,
      NORMALIZED.map((cell) => genes.map((gene) => cell[TINY.genes.indexOf(gene)]!)),
    );
    await expect(open({}, { variableGenes: 5 })).rejects.toThrow(/at most the 4 genes of the file, got 5/);
  });
});
