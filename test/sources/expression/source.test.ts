import { writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { type TinyFile, writeTiny } from '../../support/h5ad.ts';
import {
  COUNTS,
  NORMALIZED,
  TINY,
  expectCells,
  openCells,
  temporaryFiles,
  unscaled,
} from '../../support/cells.ts';

const { open, path } = temporaryFiles();

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
    const written = path();
    await writeTiny(written, { ...TINY, X: sparse });
    const settings = { variableGenes: genes, scaleGenes: true };
    const [wanted, found] = [
      await openCells(written, settings),
      await openCells(written, settings, { memoryLimit }),
    ];
    expect(found.record).toEqual(wanted.record);
    expect(unscaled(found)).toEqual(unscaled(wanted));
  });

  test.each<[string, TinyFile['X']]>([
    [
      'rows',
      {
        format: 'csr',
        data: [3, 1, 3, 1, 1, 1, 2, 5],
        indices: [2, 0, 0, 2, 1, 0, 2, 3],
        indptr: [0, 4, 5, 8, 8],
      },
    ],
    [
      'columns',
      {
        format: 'csc',
        data: [1, 4, 1, 1, 2, 2, 4, 5],
        indices: [2, 0, 1, 2, 0, 0, 2, 2],
        indptr: [0, 2, 3, 7, 8],
      },
    ],
  ])('of compressed %s adds up what stands at the same place, in any order', async (kind, X) => {
    const wanted =
      kind === 'rows'
        ? COUNTS
        : [
            [4, 0, 4, 0],
            [0, 1, 0, 0],
            [1, 0, 5, 5],
            [0, 0, 0, 0],
          ];
    const source = await open({ X }, { normalize: 'none' });
    expect(source.count).toBe(4);
    expectCells(source, wanted);
  });

  test('of compressed columns that is too large to be turned is refused', async () => {
    const written = path();
    const X = { format: 'csc', data: [4], indices: [0], indptr: [0, 1, 1, 1, 1] } as const;
    await writeTiny(written, { ...TINY, X });
    await expect(openCells(written, {}, { memoryLimit: 10 })).rejects.toThrow(
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
    [
      'a value beyond float32',
      { X: [[1, 1e300, 0, 0], ...COUNTS.slice(1)] },
      /cell 0 \(cell-a\) has 1e\+300 for gene g1\. Values must fit into float32/,
    ],
    [
      'an indptr that falls',
      { X: { ...sparse, indptr: [0, 3, 2, 6, 6] } },
      /X indptr falls from 3 to 2 at entry 2/,
    ],
    [
      'a shape of its own',
      { X: { ...sparse, format: 'csc' }, columns: 4_000_000_000 },
      /the matrix is 4 cells x 4000000000 genes, the tables name 4 cells and 4 genes/,
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
      /4 cells x 4 genes, the tables name 4 cells and 3 genes/,
    ],
  ])('with %s is refused', async (_, file, message) => {
    await expect(open(file)).rejects.toThrow(message);
  });

  test('that is no file of the kind is refused', async () => {
    await expect(openCells(path('none.h5ad'), {})).rejects.toThrow(/none.h5ad: no such file or folder/);
    await writeFile(path('text.h5ad'), 'cell,gene');
    await expect(openCells(path('text.h5ad'), {})).rejects.toThrow(/text.h5ad: is no HDF5 file/);
    await writeFile(path('packed.h5ad.gz'), 'x');
    await expect(openCells(path('packed.h5ad.gz'), {})).rejects.toThrow(/packed with gzip.*gunzip/);
    await writeFile(path('cut.h5ad'), Buffer.from('894844460d0a1a0a00', 'hex'));
    await expect(openCells(path('cut.h5ad'), {})).rejects.toThrow(
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
