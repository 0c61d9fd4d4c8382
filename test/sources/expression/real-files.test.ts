import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { unscale } from '../../../src/data/expression/denormalize.ts';
import { Hdf5File } from '../../../src/sources/expression/hdf5.ts';
import { decompress } from '../../../src/sources/expression/lzf.ts';
import type { ExpressionRecord } from '../../../src/data/expression/record.ts';
import { openExpression } from '../../../src/sources/expression/source.ts';
import { Table } from '../../../src/sources/expression/table.ts';
import type { ExpressionData } from '../../../src/sources/settings.ts';

const folder = resolve('../shared/data');
const skip = existsSync(folder) ? undefined : `${folder} is not there`;

interface Read {
  readonly count: number;
  readonly classNames: readonly string[];
  readonly labels: readonly number[];
  readonly record: ExpressionRecord;
  /** [N, G], normalised. */
  readonly values: Float32Array;
  readonly firstCell: string;
}

async function read(file: string, settings: Partial<ExpressionData>): Promise<Read> {
  const source = await openExpression({
    source: 'expression',
    path: resolve(folder, file),
    layer: 'X',
    normalize: 'auto',
    target: 1e4,
    variableGenes: 0,
    scaleGenes: false,
    holdOut: 0,
    split: 'train',
    ...settings,
  });
  const { count, shape, classNames = [] } = source;
  const record = source.record as ExpressionRecord;
  const values = new Float32Array(count * shape[0]!);
  const labels: number[] = [];
  for (let i = 0; i < count; i++) {
    const { label } = await source.read(i, values, i * shape[0]!, { seed: 0, epoch: 0 });
    labels.push(label ?? -1);
  }
  const firstCell = source.describe!(0);
  await source.close!();
  return {
    count,
    classNames,
    labels,
    record,
    values: unscale(values, record),
    firstCell,
  };
}

describe.skipIf(skip !== undefined)(`real files${skip ? ` (skipped: ${skip})` : ''}`, () => {
  test('of the current layout: counts, normalised over all genes', async () => {
    const { count, classNames, labels, record, values, firstCell } = await read('pbmc68k_reduced.h5ad', {
      label: 'bulk_labels',
    });
    expect(count).toBe(700);
    expect(classNames).toHaveLength(10);
    expect(classNames[labels[0]!]).toBe('CD14+ Monocyte');
    expect(firstCell).toBe('cell 0 (AAAGCCTGGCTAAC-1)');
    expect(record).toMatchObject({ normalize: 'log1p', label: 'bulk_labels' });
    expect(record.genes.slice(0, 2)).toEqual(['HES4', 'TNFRSF4']);
    // As many as the file stores.
    expect(values.filter((value) => value > 0)).toHaveLength(174_400);
    for (let cell = 0; cell < 700; cell += 100) {
      const sum = values
        .subarray(765 * cell, 765 * (cell + 1))
        .reduce((total, value) => total + Math.expm1(value), 0);
      expect(sum / 1e4).toBeCloseTo(1, 3);
    }
  });

  test('have columns of booleans', async () => {
    const file = await Hdf5File.open(resolve(folder, 'pbmc68k_reduced.h5ad'));
    const { names, codes, areBooleans } = new Table(file, 'var').categories('highly_variable');
    expect(areBooleans).toBe(true);
    expect({ names, genes: codes.length }).toEqual({ names: ['False', 'True'], genes: 765 });
    file.close();
  });

  test('of the oldest layout: the same cells, in raw log-normalised as in the other file’s layer', async () => {
    const old = await read('anndata-v0.5.0.h5ad', { layer: 'raw', label: 'bulk_labels' });
    const current = await read('pbmc68k_reduced.h5ad', { layer: 'log1p', label: 'bulk_labels' });
    expect(old.record).toMatchObject({ normalize: 'none', genes: current.record.genes });
    const names = ({ classNames, labels }: Read): (string | undefined)[] =>
      labels.map((label) => classNames[label]);
    expect(names(old)).toEqual(names(current));
    expect(old.firstCell).toBe(current.firstCell);
    const differences = old.values.map((value, i) => Math.abs(value - current.values[i]!));
    expect(differences.reduce((most, value) => Math.max(most, value), 0)).toBeLessThan(1e-3);
  });

  test('of the oldest layout: scaled values only where they are asked for', async () => {
    const file = 'anndata-v0.5.0.h5ad';
    await expect(read(file, {})).rejects.toThrow(
      /cell 0 \(AAAGCCTGGCTAAC-1\) has the negative value .* for gene HES4/,
    );
    const { record, classNames } = await read(file, { normalize: 'none', label: 'louvain' });
    expect(record.zeroBelow).toBeUndefined();
    expect(classNames).toEqual(Array.from({ length: 11 }, (_, i) => String(i)));
  });

  test('of 0.7: compressed with LZF, categories by reference', async () => {
    const file = 'anndata-v0.7.0.h5ad';
    const { count, record, values, classNames, labels } = await read(file, {
      label: 'obs_cat',
      normalize: 'none',
    });
    expect(count).toBe(30);
    expect(record.genes.slice(0, 2)).toEqual(['gene0', 'gene1']);
    expect(classNames.slice(0, 5)).toEqual(['B', 'D', 'E', 'G', 'H']);
    expect(new Set(labels).size).toBe(classNames.length);
    // indptr begins with 0, 4, 11: cells with 4 and 7 genes.
    const genes = (cell: number): number =>
      values.subarray(20 * cell, 20 * (cell + 1)).filter((value) => value > 0.5).length;
    expect([genes(0), genes(1)]).toEqual([4, 7]);
    expect((await read(file, { layer: 'raw' })).record.genes).toHaveLength(40);
    // A dense layer of numbers between 0 and 1 is none of counts.
    const dense = await read(file, { layer: 'array' });
    expect(dense.record.normalize).toBe('none');
    expect(dense.values[0]).toBeCloseTo(0.72236893, 5);
  });
});

describe('LZF', () => {
  test('unpacks literals, copies, and copies that reach into themselves', () => {
    const packed = Uint8Array.of(2, 97, 98, 99, 0x20, 2, 0xe0, 1, 0);
    const text = Buffer.from(decompress(packed, 16)).toString();
    expect(text).toBe('abcabcccccccccc'.padEnd(16, 'c'));
  });

  test.each([
    ['ends within literals', [5, 1, 2], 6],
    ['copies from before the start', [0, 1, 0x20, 9], 4],
    ['holds more than it should', [2, 1, 2, 3], 2],
    ['holds less than it should', [2, 1, 2, 3], 4],
  ])('is refused where it %s', (_, packed, size) => {
    expect(() => decompress(Uint8Array.from(packed), size)).toThrow('a chunk is damaged');
  });
});
