import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ExpressionRecord } from '../../../src/data/expression/record.ts';
import { openExpression } from '../../../src/data/expression/source.ts';
import type { ExpressionData } from '../../../src/data/settings.ts';
import type { Source } from '../../../src/data/source.ts';
import { type TinyFile, writeTiny } from '../../support/h5ad.ts';

const COUNTS = [
  [4, 0, 4, 0],
  [0, 1, 0, 0],
  [1, 0, 2, 5],
  [0, 0, 0, 0],
];
const TINY: TinyFile = { X: COUNTS, cells: 4, genes: ['g0', 'g1', 'g2', 'g3'] };
const kinds = { codes: [1, 0, 1, 0], categories: ['B', 'T'] };

let folder: string;
let files = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'expression-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function open(file: Partial<TinyFile>, settings: Partial<ExpressionData> = {}): Promise<Source> {
  const path = join(folder, `${files++}.h5ad`);
  await writeTiny(path, { ...TINY, ...file });
  return openPath(path, settings);
}

function openPath(path: string, settings: Partial<ExpressionData>, memoryLimit?: number): Promise<Source> {
  const data: ExpressionData = {
    source: 'expression',
    path,
    layer: 'X',
    normalize: 'auto',
    target: 100,
    variableGenes: 0,
    scaleGenes: false,
    holdOut: 0,
    split: 'train',
    ...settings,
  };
  return openExpression(data, memoryLimit);
}

/** All cells as the values they had before they were scaled. */
function unscaled(source: Source): number[][] {
  const { center, deviation } = source.record as ExpressionRecord;
  return Array.from({ length: source.count }, (_, index) => {
    const out = new Float32Array(source.shape[0]! + 1);
    void source.read(index, out, 1, { seed: 0, epoch: 0 });
    return Array.from(out.subarray(1), (value, gene) => {
      return value * deviation[gene % deviation.length]! + center[gene % center.length]!;
    });
  });
}

function expectCells(source: Source, wanted: readonly (readonly number[])[]): void {
  const found = unscaled(source);
  expect(found.length).toBe(wanted.length);
  wanted.flat().forEach((value, i) => expect(found.flat()[i]).toBeCloseTo(value, 5));
}

const NORMALIZED = COUNTS.map((cell) => {
  const total = cell.reduce((sum, count) => sum + count, 0);
  return cell.map((count) => (total === 0 ? 0 : Math.log1p((100 * count) / total)));
});

describe('the matrix', () => {
  const sparse = {
    data: [4, 4, 1, 1, 2, 5],
    indices: [0, 2, 1, 0, 2, 3],
    indptr: [0, 2, 3, 6, 6],
    format: 'csr',
  } as const;

  test.each<[string, Partial<TinyFile>]>([
    ['dense', {}],
    ['of compressed rows', { X: sparse }],
    [
      'of compressed columns',
      {
        X: { format: 'csc', data: [4, 1, 1, 4, 2, 5], indices: [0, 2, 1, 0, 2, 2], indptr: [0, 2, 3, 5, 6] },
      },
    ],
  ])('%s is normalised to the target and logarithms; a cell of zeros stays one', async (_, file) => {
    const source = await open(file);
    expect(source).toMatchObject({ count: 4, shape: [4] });
    expect(source.classes).toBeUndefined();
    expect(source.record).toMatchObject({ genes: ['g0', 'g1', 'g2', 'g3'], normalize: 'log1p', target: 100 });
    expectCells(source, NORMALIZED);
    expect(source.describe!(2)).toBe('cell 2 (cell-c)');
    await source.close!();
  });

  test.each([
    ['held whole', 1e6, 0],
    ['read from the file cell by cell', 0, 0],
    // 5 offsets, and values of the two genes.
    ['held with the chosen genes alone', 5 * 8 + 3 * 6, 2],
    ['read from the file, of which two genes are kept', 0, 2],
  ])('gives the same cells when it is %s', async (_, memoryLimit, genes) => {
    const path = join(folder, `memory-${files++}.h5ad`);
    await writeTiny(path, { ...TINY, X: sparse });
    const settings = { variableGenes: genes, scaleGenes: true };
    const [wanted, found] = [await openPath(path, settings), await openPath(path, settings, memoryLimit)];
    expect(found.record).toEqual(wanted.record);
    expect(unscaled(found)).toEqual(unscaled(wanted));
  });

  test('of compressed columns that is too large to be turned is refused', async () => {
    const path = join(folder, 'columns.h5ad');
    const X = { format: 'csc', data: [4], indices: [0], indptr: [0, 1, 1, 1, 1] } as const;
    await writeTiny(path, { ...TINY, X });
    await expect(openPath(path, {}, 10)).rejects.toThrow(
      /X has compressed columns \(CSC\), as rows it takes 1 MiB of memory.*tocsr/,
    );
  });

  test.each<[string, Partial<TinyFile>, RegExp]>([
    [
      'an index beyond the genes',
      { X: { ...sparse, indices: [0, 4, 1, 0, 2, 3] } },
      /cell 0 \(cell-a\) has gene index 4, there are 4 genes/,
    ],
    ['a negative index', { X: { ...sparse, indices: [0, -1, 1, 0, 2, 3] } }, /cell 0 .* has gene index -1/],
    ['a gene twice', { X: { ...sparse, indices: [0, 0, 1, 0, 2, 3] } }, /cell 0 .* has gene g0 twice/],
    [
      'an indptr that falls',
      { X: { ...sparse, indptr: [0, 3, 2, 6, 6] } },
      /X indptr falls from 3 to 2 at entry 2/,
    ],
    ['a short indptr', { X: { ...sparse, indptr: [0, 2, 6] } }, /X indptr must have 5 entries, found 3/],
    [
      'an indptr beyond the data',
      { X: { ...sparse, indptr: [0, 2, 3, 6, 9] } },
      /6 values, 6 indices, indptr from 0 to 9/,
    ],
    [
      'a row index beyond the cells',
      { X: { format: 'csc', data: [4, 1], indices: [0, 7], indptr: [0, 1, 2, 2, 2] } },
      /X has index 7 in column 1, there are 4 rows/,
    ],
    [
      'NaN',
      { X: [[1, NaN, 0, 0], ...COUNTS.slice(1)] },
      /cell 0 \(cell-a\) has NaN for gene g1\. Values must be finite/,
    ],
    ['infinity', { X: [...COUNTS.slice(0, 3), [0, 0, 0, Infinity]] }, /cell 3 .* has Infinity for gene g3/],
    [
      'negative values',
      { X: [[1, -2.5, 0, 0], ...COUNTS.slice(1)] },
      /cell 0 \(cell-a\) has the negative value -2.5 for gene g1.*Set data.layer to raw/,
    ],
    ['zeros alone', { X: COUNTS.map((cell) => cell.map(() => 0)) }, /holds no value above 0/],
    [
      'fewer names than genes',
      { genes: ['g0', 'g1', 'g2'], columns: 4 },
      /4 cells x 4 genes, the tables name other numbers/,
    ],
  ])('with %s is refused', async (_, file, message) => {
    await expect(open(file)).rejects.toThrow(message);
  });

  test('that is no file of the kind is refused', async () => {
    await expect(openPath(join(folder, 'none.h5ad'), {})).rejects.toThrow(
      /none.h5ad: no such file or folder/,
    );
    await writeFile(join(folder, 'text.h5ad'), 'cell,gene');
    await expect(openPath(join(folder, 'text.h5ad'), {})).rejects.toThrow(/text.h5ad: is no HDF5 file/);
    await writeFile(join(folder, 'cut.h5ad'), Buffer.from('894844460d0a1a0a00', 'hex'));
    await expect(openPath(join(folder, 'cut.h5ad'), {})).rejects.toThrow(
      /cut.h5ad: cannot be opened: .*Fetch or write/,
    );
  });

  test('of a layer is taken by name', async () => {
    const layers = { spliced: COUNTS.map((cell) => cell.map((count) => 2 * count)) };
    const source = await open({ layers, X: COUNTS.map((cell) => cell.map(() => 1)) }, { layer: 'spliced' });
    expectCells(source, NORMALIZED);
    await expect(open({ layers }, { layer: 'splice' })).rejects.toThrow(
      /has no splice\. Set data.layer to one of X, spliced\. Did you mean "spliced"\?/,
    );
    await expect(open({ layers }, { layer: 'raw' })).rejects.toThrow(/has no raw/);
  });
});

describe('normalisation', () => {
  const logarithms = NORMALIZED;

  test('of logarithms is not done twice', async () => {
    const source = await open({ X: logarithms });
    expect(source.record).toMatchObject({ normalize: 'none' });
    expect(source.record).not.toHaveProperty('totals');
    expectCells(source, logarithms);
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

describe('labels', () => {
  test.each<[string, TinyFile['obs']]>([
    ['categories', { kind: kinds }],
    ['strings', { kind: ['T', 'B', 'T', 'B'] }],
    ['categories with one that no cell has', { kind: { codes: [2, 0, 2, 0], categories: ['B', 'NK', 'T'] } }],
  ])('come from a column of %s', async (_, obs) => {
    const source = await open({ obs: obs! }, { label: 'kind' });
    expect(source).toMatchObject({ classes: 2, classNames: ['B', 'T'] });
    const labels = [0, 1, 2, 3].map((index) =>
      source.read(index, new Float32Array(4), 0, { seed: 0, epoch: 0 }),
    );
    expect(labels).toEqual([{ label: 1 }, { label: 0 }, { label: 1 }, { label: 0 }]);
  });

  test('come from whole numbers, in their order', async () => {
    const source = await open({ obs: { cluster: Int32Array.of(10, 2, 2, 10) } }, { label: 'cluster' });
    expect(source.classNames).toEqual(['2', '10']);
    const nullable = { values: [10, 2, 2, 10], mask: [0, 0, 0, 0] };
    expect((await open({ obs: { nullable } }, { label: 'nullable' })).classNames).toEqual(['2', '10']);
    const obs = { nullable: { ...nullable, mask: [0, 1, 0, 0] } };
    await expect(open({ obs }, { label: 'nullable' })).rejects.toThrow(
      /1 of 4 cells have no value in obs\/nullable/,
    );
  });

  test.each<[string, TinyFile['obs'], RegExp]>([
    ['another name', { kinds }, /obs has no column kind\. It has kinds\. Did you mean "kinds"\?/],
    ['no column at all', {}, /obs has no column kind\. It has no columns/],
    [
      'missing values',
      { kind: { ...kinds, codes: [1, -1, 0, -1] } },
      /2 of 4 cells have no value in obs\/kind, the first is cell 1 \(cell-b\)/,
    ],
    [
      'a code outside',
      { kind: { ...kinds, codes: [1, 2, 0, 0] } },
      /obs\/kind has code 2 in row 1, there are 2 categories/,
    ],
    ['fractions', { kind: Float64Array.of(0.5, 1, 2, 3) }, /obs\/kind holds no classes/],
  ])('with %s are refused', async (_, obs, message) => {
    await expect(open({ obs: obs! }, { label: 'kind' })).rejects.toThrow(message);
  });
});

describe('cells that are held out', () => {
  const cells = 8;
  const file = {
    X: Array.from({ length: cells }, (_, i) => [i + 1, 1, 0, 2]),
    cells,
    obs: { kind: { codes: [0, 0, 0, 0, 1, 1, 1, 1], categories: ['B', 'T'] } },
  };

  test('are the same share of every class, and never trained on', async () => {
    const settings = { label: 'kind', holdOut: 0.25 };
    const trained = await open(file, settings);
    const held = await open(file, { ...settings, split: 'held-out' });
    const names = (source: Source): string[] =>
      Array.from({ length: source.count }, (_, index) => source.describe!(index));
    expect(held.count).toBe(2);
    expect([...names(trained), ...names(held)].toSorted()).toEqual(
      Array.from({ length: cells }, (_, i) => `cell ${i} (cell-${'abcdefgh'[i]})`),
    );
    expect(names(held).map((name) => Number(name.split(' ')[1]) < 4)).toEqual([true, false]);
    expect(held.record).toEqual(trained.record);
  });
});
