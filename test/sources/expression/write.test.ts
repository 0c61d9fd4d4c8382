import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { denormalize, normalizeCounts, toCells, toCounts } from '../../../src/data/expression/denormalize.ts';
import { Hdf5File } from '../../../src/sources/expression/hdf5.ts';
import type { ExpressionRecord } from '../../../src/data/expression/record.ts';
import { parseExpressionRecord } from '../../../src/sources/expression/record.ts';
import { type ExpressionFile, writeExpression } from '../../../src/sources/expression/write.ts';
import type { ExpressionData } from '../../../src/sources/settings.ts';
import type { Source } from '../../../src/data/source.ts';
import { openCells } from '../../support/cells.ts';
import { randomValues } from '../../support/random.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'expression-'));
});
afterAll(() => rm(folder, { recursive: true }));

const COUNTS = Float32Array.of(4, 0, 4, 0, 0, 1, 0, 0, 1, 0, 2, 5);
const FILE: ExpressionFile = {
  genes: ['g0', 'g1', 'g2', 'Ünïcode'],
  values: COUNTS,
  layers: { doubled: COUNTS.map((count) => 2 * count) },
  classes: { column: 'cell type', names: ['B/T', 'NK'], labels: [1, 0, 1] },
};

async function open(path: string, settings: Partial<ExpressionData> = {}): Promise<Source> {
  return openCells(path, { normalize: 'none', ...settings });
}

/** All values as the model sees them. */
function read(source: Source): Float32Array {
  const genes = source.shape[0]!;
  const values = new Float32Array(source.count * genes);
  for (let i = 0; i < source.count; i++) void source.read(i, values, i * genes, { seed: 0, epoch: 0 });
  return values;
}

describe('a written file', () => {
  test('is read back, with its genes, classes and layers', async () => {
    const path = join(folder, 'made', 'cells.h5ad');
    await writeExpression(path, FILE);
    expect(await readdir(join(folder, 'made'))).toEqual(['cells.h5ad']);
    const source = await open(path, { label: 'cell type' });
    expect(source).toMatchObject({ count: 3, classNames: ['B/T', 'NK'], record: { genes: FILE.genes } });
    expect(source.describe!(2)).toBe('cell 2 (cell-2)');
    const out = new Float32Array(4);
    const labels = [0, 1, 2].map((i) => source.read(i, out, 0, { seed: 0, epoch: 0 }));
    expect(labels).toEqual([{ label: 1 }, { label: 0 }, { label: 1 }]);
    for (const [layer, factor] of [
      ['X', 1],
      ['doubled', 2],
    ] as const) {
      const again = await open(path, { layer });
      denormalize(read(again), again.record as ExpressionRecord).forEach((value, i) => {
        expect(value).toBeCloseTo(factor * COUNTS[i]!, 4);
      });
    }
  });

  test('says of every element what it is, as anndata does', async () => {
    const path = join(folder, 'described.h5ad');
    await writeExpression(path, FILE);
    const file = await Hdf5File.open(path);
    const encodings = [
      '',
      'X',
      'obs',
      'obs/_index',
      'obs/cell type',
      'obs/cell type/codes',
      'var',
      'layers',
      'uns',
    ];
    const found = encodings.map((name) => {
      const element = name === '' ? file.find('obs')!.root : file.find(name)!;
      return `${name}: ${file.attribute(element, 'encoding-type')} ${file.attribute(element, 'encoding-version')}`;
    });
    expect(found).toEqual([
      ': anndata 0.1.0',
      'X: csr_matrix 0.1.0',
      'obs: dataframe 0.2.0',
      'obs/_index: string-array 0.2.0',
      'obs/cell type: categorical 0.2.0',
      'obs/cell type/codes: array 0.2.0',
      'var: dataframe 0.2.0',
      'layers: dict 0.1.0',
      'uns: dict 0.1.0',
    ]);
    expect(file.attribute(file.find('X')!, 'shape')).toEqual(BigInt64Array.of(3n, 4n));
    expect(file.attribute(file.find('obs')!, 'column-order')).toEqual(['cell type']);
    expect(file.attribute(file.find('var')!, 'column-order')).toHaveLength(0);
    expect(file.attribute(file.find('obs')!, '_index')).toBe('_index');
    file.close();
  });

  test('may hold nothing but zeros, and no classes', async () => {
    const path = join(folder, 'zeros.h5ad');
    await writeExpression(path, { genes: ['g'], values: new Float32Array(2) });
    await expect(open(path)).rejects.toThrow(/holds no value above 0/);
  });

  test.each<[string, Partial<ExpressionFile>, RegExp]>([
    [
      'values of another size',
      { values: new Float32Array(11) },
      /values must be \[N, G\] with N = 3, G = 4, got \[11\]/,
    ],
    ['a layer of another size', { layers: { more: new Float32Array(13) } }, /more must be \[N, G\]/],
    ['NaN', { values: COUNTS.map(() => NaN) }, /values must be finite numbers, got NaN/],
    [
      'a label outside',
      { classes: { ...FILE.classes!, labels: [0, 1, 2] } },
      /classes.labels must be classes from 0 to 1, got 2/,
    ],
  ])('is not begun with %s', async (_, change, message) => {
    await expect(writeExpression(join(folder, 'never.h5ad'), { ...FILE, ...change })).rejects.toThrow(
      message,
    );
    expect(await readdir(folder)).not.toContain('never.h5ad');
  });

  test('that cannot be written leaves nothing behind', async () => {
    await mkdir(join(folder, 'taken.h5ad'));
    await expect(writeExpression(join(folder, 'taken.h5ad'), FILE)).rejects.toThrow(
      /taken.h5ad: cannot be written/,
    );
    expect((await readdir(folder)).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});

describe('samples', () => {
  async function trained(settings: Partial<ExpressionData>): Promise<Source> {
    const path = join(folder, 'trained.h5ad');
    await writeExpression(path, FILE);
    return open(path, { label: 'cell type', normalize: 'auto', ...settings });
  }

  test.each([{}, { scaleGenes: true }])(
    'go back to normalised values and to the counts %j',
    async (settings) => {
      const source = await trained({ target: 8, ...settings });
      const record = parseExpressionRecord(JSON.parse(JSON.stringify(source.record)), 'run');
      const values = denormalize(read(source), record, [1, 0, 1]);
      const totals = [8, 1, 8];
      COUNTS.forEach((count, i) =>
        expect(values[i]).toBeCloseTo(Math.log1p((8 * count) / totals[Math.floor(i / 4)]!), 4),
      );
      // All cells of class 1 have 8 counts, the one of class 0 has 1.
      expect([...toCounts(values, record, { labels: [1, 0, 1], seed: 1 })]).toEqual([...COUNTS]);
    },
  );

  test('have the totals of their class whatever a model makes, and values that are those of the counts', async () => {
    for (const variableGenes of [0, 2]) {
      const source = await trained({ target: 8, variableGenes });
      const record = source.record as ExpressionRecord;
      const genes = record.genes.length;
      // Too low and not quite zero, as models are: real cells in the logarithm, less a sixth, and noise.
      const noise = randomValues(3 * genes, 2);
      const values = denormalize(read(source), record, [1, 0, 1]).map(
        (value, i) => 0.83 * value + 0.05 * noise[i]!,
      );
      const options = { labels: [1, 0, 1], seed: 1 };
      const counts = toCounts(values, record, options);
      const sums = [0, 1, 2].map((cell) =>
        counts.subarray(cell * genes, (cell + 1) * genes).reduce((a, b) => a + b, 0),
      );
      sums.forEach((sum, cell) => {
        const had = record.keptTotals![options.labels[cell]!]!;
        expect(sum).toBeGreaterThanOrEqual(had[0]!);
        expect(sum).toBeLessThanOrEqual(had[100]!);
      });
      if (variableGenes === 0) expect(sums).toEqual([8, 1, 8]);
      const normalized = normalizeCounts(counts, record, options);
      normalized.forEach((value, i) => {
        expect(value > 0).toBe(counts[i]! > 0);
        expect(value).toBeCloseTo(Math.log1p((8 * counts[i]!) / [8, 1, 8][Math.floor(i / genes)]!), 5);
      });
      const scaled = values.map((value, i) => {
        const [center, deviation] = [record.center, record.deviation].map(
          (of) => of[(i % genes) % of.length]!,
        );
        return (value - center!) / deviation!;
      });
      expect(toCells(scaled, record, options)).toEqual({ counts, values: normalized });
      await source.close!();
    }
  });

  test('give the rest of a total to what has a count, not to what has less than half of one', async () => {
    const record = (await trained({ target: 8 })).record as ExpressionRecord;
    const values = Float32Array.of(2.3, 2.3, 3.4, 0.45).map((count) => Math.log1p(count));
    expect([...toCounts(values, record, { labels: [1], seed: 0 })]).toEqual([2, 2, 4, 0]);
  });

  test('of records that do not say what the kept genes had keep the share that they have, and empty cells stay empty', async () => {
    const record = (await trained({ target: 8 })).record as ExpressionRecord;
    const { keptTotals: _, ...older } = record;
    const values = Float32Array.of(4, 0, 0, 0).map((count) => Math.log1p(count));
    expect([...toCounts(values, older, { labels: [1], seed: 0 })]).toEqual([4, 0, 0, 0]);
    expect([...toCounts(values, record, { labels: [1], seed: 0 })]).toEqual([8, 0, 0, 0]);
    expect([...toCounts(new Float32Array(4), record, { labels: [1], seed: 0 })]).toEqual([0, 0, 0, 0]);
  });

  test('are rounded where least is lost, so that the total stays', async () => {
    const record = (await trained({ target: 1 })).record as ExpressionRecord;
    const fixed = { ...record, totals: [[5]], keptTotals: [[5]] };
    const values = Float32Array.of(2.4, 1.8, 0.8, 0).map((part) => Math.log1p(part / 5));
    expect([...toCounts(values, fixed, { seed: 0 })]).toEqual([2, 2, 1, 0]);
  });

  test('below half of what one count becomes in their class are zero, and none is negative', async () => {
    const record = (await trained({})).record as ExpressionRecord;
    const [center, deviation] = [record.center[0]!, record.deviation[0]!];
    for (const [label, bound] of record.zeroBelow!.entries()) {
      const wanted = [-3, bound * 0.99, bound * 1.01, bound + 1];
      const scaled = Float32Array.from(wanted, (value) => (value - center) / deviation);
      const values = denormalize(scaled, record, [label]);
      expect([...values.subarray(0, 2)]).toEqual([0, 0]);
      expect(values[2]).toBeCloseTo(bound * 1.01, 4);
    }
    expect(record.zeroBelow![0]).not.toBe(record.zeroBelow![1]);
  });

  test('of other sizes, and counts of what was never counted, are refused', async () => {
    const record = (await trained({})).record as ExpressionRecord;
    expect(() => denormalize(new Float32Array(5), record)).toThrow(
      /samples must be \[N, G\] with G = 4, got \[5\]/,
    );
    expect(() => denormalize(new Float32Array(4), record, [2])).toThrow(/classes from 0 to 1, got 2/);
    expect(() => toCounts(new Float32Array(4), record, { labels: [2], seed: 0 })).toThrow(
      /classes from 0 to 1, got 2/,
    );
    const plain = (await trained({ normalize: 'none' })).record as ExpressionRecord;
    expect(() => toCounts(new Float32Array(4), plain, { seed: 0 })).toThrow(/trained on counts/);
    expect(() => parseExpressionRecord({ kind: 'latents' }, 'runs/a')).toThrow(
      /runs\/a: has no record of genes/,
    );
  });
});

test('classes that were booleans are booleans again', async () => {
  const path = join(folder, 'booleans.h5ad');
  const classes = { column: 'flag', names: ['False', 'True'], labels: [1, 0, 1], areBooleans: true };
  await writeExpression(path, { ...FILE, classes });
  const source = await open(path, { label: 'flag' });
  expect(source).toMatchObject({ count: 3, classNames: ['False', 'True'], record: { booleans: true } });
  const labels = [0, 1, 2].map((index) => source.read(index, new Float32Array(4), 0, { seed: 0, epoch: 0 }));
  expect(labels).toEqual([{ label: 1 }, { label: 0 }, { label: 1 }]);
  await source.close!();
});
