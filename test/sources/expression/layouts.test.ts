import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Group } from 'h5wasm/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ExpressionRecord } from '../../../src/data/expression/record.ts';
import type { ExpressionData } from '../../../src/sources/settings.ts';
import type { Source } from '../../../src/data/source.ts';
import { openCells } from '../../support/cells.ts';
import { attribute } from '../../support/h5ad.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'layouts-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function write(name: string, fill: (root: Group) => void): Promise<string> {
  const { File, ready } = await import('h5wasm/node');
  await ready;
  const file = new File(join(folder, name), 'w');
  fill(file);
  file.close();
  return join(folder, name);
}

function open(path: string, settings: Partial<ExpressionData> = {}): Promise<Source> {
  return openCells(path, { normalize: 'none', ...settings });
}

/** Cells as they are in the file. */
function cellsOf(source: Source): number[][] {
  const { center, deviation } = source.record as ExpressionRecord;
  return Array.from({ length: source.count }, (_, index) => {
    const out = new Float32Array(source.shape[0]!);
    void source.read(index, out, 0, { seed: 0, epoch: 0 });
    return Array.from(out, (value) => Math.round(value * deviation[0]! + center[0]!) + 0);
  });
}

const genesOf = (source: Source): readonly string[] => (source.record as ExpressionRecord).genes;

function writeTable(parent: Group, name: string, index: string[], isNullable = false): Group {
  const table = parent.create_group(name);
  attribute(table, '_index', '_index');
  if (isNullable) {
    const group = table.create_group('_index');
    attribute(group, 'encoding-type', 'nullable-string-array');
    group.create_dataset({ name: 'values', data: index, dtype: 'S' });
    group.create_dataset({ name: 'mask', data: new Int8Array(index.length) });
  } else table.create_dataset({ name: '_index', data: index, dtype: 'S' });
  return table;
}

function writeAnnData(parent: Group, genes: string[], isNullable = false): void {
  writeTable(parent, 'obs', ['a', 'b'], isNullable);
  writeTable(parent, 'var', genes, isNullable);
  parent.create_dataset({ name: 'X', data: Int32Array.of(1, 2, 3, 4), shape: [2, 2] });
}

test('an index may be nullable, as anndata writes it with newer pandas', async () => {
  const source = await open(await write('nullable.h5ad', (root) => writeAnnData(root, ['g0', 'g1'], true)));
  expect(genesOf(source)).toEqual(['g0', 'g1']);
  expect(source.describe!(1)).toBe('cell 1 (b)');
});

describe('MuData', () => {
  const fill = (root: Group): void => {
    attribute(root, 'encoding-type', 'MuData');
    const modalities = root.create_group('mod');
    writeAnnData(modalities.create_group('rna'), ['g0', 'g1']);
    writeAnnData(modalities.create_group('prot'), ['CD3', 'CD4']);
    writeTable(root, 'obs', ['a', 'b']);
  };

  test('is read by modality, which is asked for', async () => {
    const path = await write('two.h5mu', fill);
    expect(genesOf(await open(path, { modality: 'prot' }))).toEqual(['CD3', 'CD4']);
    await expect(open(path)).rejects.toThrow(
      /is MuData, with several modalities\. Set data\.modality to one of .*rna/,
    );
    await expect(open(path, { modality: 'pro' })).rejects.toThrow(/has no modality pro.*Did you mean "prot"/);
  });

  test('is asked for only where there is one', async () => {
    const path = await write('none.h5ad', (root) => writeAnnData(root, ['g0', 'g1']));
    await expect(open(path, { modality: 'rna' })).rejects.toThrow(/has no modalities/);
  });
});

describe('10x Genomics', () => {
  const fill = (root: Group, { genome, third = 'A' }: { genome?: string; third?: string }): void => {
    const group = root.create_group(genome ?? 'matrix');
    group.create_dataset({ name: 'barcodes', data: ['AC-1', 'GT-1'], dtype: 'S' });
    group.create_dataset({ name: 'shape', data: Int32Array.of(4, 2) });
    group.create_dataset({ name: 'data', data: Int32Array.of(1, 2, 3, 4, 5) });
    group.create_dataset({ name: 'indices', data: BigInt64Array.of(3n, 0n, 1n, 2n, 1n) });
    group.create_dataset({ name: 'indptr', data: BigInt64Array.of(0n, 3n, 5n) });
    const symbols = ['TBCE', 'CD3_protein', third, 'TBCE'];
    if (genome !== undefined) {
      group.create_dataset({ name: 'gene_names', data: symbols, dtype: 'S' });
      return;
    }
    const features = group.create_group('features');
    features.create_dataset({ name: 'name', data: symbols, dtype: 'S' });
    const kinds = symbols.map((name) => (name.includes('protein') ? 'Antibody Capture' : 'Gene Expression'));
    features.create_dataset({ name: 'feature_type', data: kinds, dtype: 'S' });
  };

  test('files are read: their genes, each by a name of its own', async () => {
    const source = await open(await write('new.h5', (root) => fill(root, {})));
    expect(genesOf(source)).toEqual(['TBCE', 'A', 'TBCE-1']);
    expect(source.describe!(1)).toBe('cell 1 (GT-1)');
    expect(cellsOf(source)).toEqual([
      [2, 0, 1],
      [0, 4, 0],
    ]);
  });

  test('a gene that has the name of another with a number keeps it', async () => {
    const source = await open(await write('numbered.h5', (root) => fill(root, { third: 'TBCE-1' })));
    expect(genesOf(source)).toEqual(['TBCE', 'TBCE-1', 'TBCE-2']);
  });

  test('files of earlier programs are read, in which all features are genes', async () => {
    const source = await open(await write('old.h5', (root) => fill(root, { genome: 'GRCh38' })));
    expect(genesOf(source)).toEqual(['TBCE', 'CD3_protein', 'A', 'TBCE-1']);
    expect(cellsOf(source)[1]).toEqual([0, 5, 4, 0]);
  });

  test('files have no columns and no layers', async () => {
    const path = await write('columns.h5', (root) => fill(root, {}));
    await expect(open(path, { label: 'kind' })).rejects.toThrow(
      /10x Genomics and has no column kind.*read_10x_h5/,
    );
    await expect(open(path, { layer: 'raw' })).rejects.toThrow(/has no layer raw/);
  });

  test('files with an index beyond the features are refused', async () => {
    const path = await write('beyond.h5', (root) => {
      fill(root, {});
      root.get('matrix/features/name');
    });
    const { File } = await import('h5wasm/node');
    const file = new File(path, 'a');
    (file.get('matrix/indices') as import('h5wasm/node').Dataset).write_slice([[0, 1]], BigInt64Array.of(9n));
    file.close();
    await expect(open(path)).rejects.toThrow(/cell 0 \(AC-1\) has gene index/);
  });
});

describe('other formats are named, with the way to an .h5ad file', () => {
  test.each<[string, (root: Group) => void, RegExp]>([
    [
      'loom',
      (root) => ['matrix', 'row_attrs', 'col_attrs'].forEach((name) => root.create_group(name)),
      /is a loom file.*scanpy\.read_loom/,
    ],
    [
      'h5seurat',
      (root) => ['assays', 'cell.names', 'meta.data'].forEach((name) => root.create_group(name)),
      /is a Seurat file.*SeuratDisk/,
    ],
    ['something else', (root) => void root.create_group('images'), /is no AnnData file.*it holds images/],
    ['nothing', () => undefined, /is no AnnData file.*it is empty/],
  ])('HDF5: %s', async (name, fill, message) => {
    await expect(open(await write(name, fill))).rejects.toThrow(message);
  });

  test.each([
    ['cells.csv', /is a table of text.*read_csv/],
    ['cells.tsv.gz', /is a table of text.*read_text/],
    ['matrix.mtx', /is a Matrix Market file.*read_10x_mtx/],
    ['cells.rds', /is a file of R.*anndataR/],
    ['cells.h5ad', /is no HDF5 file/],
  ])('%s', async (name, message) => {
    await writeFile(join(folder, name), 'something');
    await expect(open(join(folder, name))).rejects.toThrow(message);
  });

  test.each([
    ['.zgroup', /is a Zarr store.*read_zarr/],
    ['matrix.mtx.gz', /is a folder of 10x Genomics.*read_10x_mtx/],
    ['one.h5ad', /is a folder.*Set data\.path to one of its files, as in f-one\.h5ad\/one\.h5ad/],
    ['text', /is a folder, not a/],
  ])('a folder with %s', async (name, message) => {
    const path = join(folder, `f-${name}`);
    await mkdir(path);
    await writeFile(join(path, name), '');
    await expect(open(path)).rejects.toThrow(message);
  });
});
