// The matrix of an .h5ad file: dense, or compressed sparse rows or columns.
import { dataError, fileError, formatShape } from '../../tensor/errors.ts';
import { didYouMean } from '../../tensor/suggest.ts';
import { adder } from './add-up.ts';
import {
  type Dataset,
  type Group,
  type Hdf5File,
  type Numbers,
  isDataset,
  isWhole,
  rowCount,
} from './hdf5.ts';
import type { Matrix, Rows } from './matrix.ts';
import { MEMORY_LIMIT, matrixBytes, transpose } from './memory-matrix.ts';

/** Where the values of a layer are, and which table names its columns. */
export interface Layer {
  readonly matrix: string;
  readonly genes: string;
}

/**
 * Finds X, raw, or a layer by its name.
 * @throws RectiflowError with what there is, when there is no such layer
 */
export function findLayer(file: Hdf5File, layer: string): Layer {
  const places: Record<string, Layer> = { X: { matrix: 'X', genes: 'var' } };
  // Until 0.6 a dot stood for the level.
  for (const raw of ['raw.', 'raw/']) {
    if (file.find(`${raw}X`) !== undefined) places['raw'] = { matrix: `${raw}X`, genes: `${raw}var` };
  }
  for (const name of file.names('layers')) places[name] ??= { matrix: `layers/${name}`, genes: 'var' };
  const place = places[layer];
  if (place !== undefined && file.find(place.matrix) !== undefined) return place;
  const known = Object.keys(places).filter((name) => file.find(places[name]!.matrix) !== undefined);
  const hint = didYouMean(layer, known);
  throw dataError(file.path, `has no ${layer}`, `Set data.layer to one of ${known.join(', ')}.${hint}`);
}

/** How many cells and genes the tables of a file name. */
export interface Sizes {
  readonly cells: number;
  readonly genes: number;
}

/**
 * Opens a matrix. One of compressed columns is read twice, block by block, and turned into rows in memory, since rows are what
 * training needs.
 * @throws RectiflowError when it is malformed or of other sizes, or has compressed columns and is too large for that
 */
export async function openMatrix(
  file: Hdf5File,
  path: string,
  sizes: Sizes,
  memoryLimit: number = MEMORY_LIMIT,
): Promise<Matrix> {
  const object = file.find(path)!;
  if (isDataset(object)) return denseMatrix(file, object, sizes);
  const { format, shape } = sparseFormat(file, object);
  const [rows, columns] = shape;
  checkSizes(file, rows, columns, sizes);
  if (format === 'csr') return compressedLines(file, path, rows, columns);
  const stored = compressedLines(file, path, columns, rows);
  const bytes = matrixBytes(stored.values, rows, columns);
  if (bytes > memoryLimit) {
    const problem = `${path} has compressed columns (CSC), as rows it takes ${Math.ceil(bytes / 2 ** 20)} MiB of memory`;
    throw fileError(file.path, problem, 'Write it again with compressed rows: adata.X = adata.X.tocsr()');
  }
  return transpose(stored, stored.values, (row, column) => {
    throw malformed(file, path, `has index ${row} in column ${column}, there are ${rows} rows`);
  });
}

/**
 * The lines (rows or columns) of the compressed matrix in a group. What a line has twice at the same place is added up, as scipy
 * does.
 * @param across how long a line is
 * @throws RectiflowError when it is malformed
 */
export function compressedLines(
  file: Hdf5File,
  path: string,
  lines: number,
  across: number,
): Matrix & { readonly values: number } {
  const parts = ['data', 'indices', 'indptr'].map((name) => file.find(`${path}/${name}`));
  if (!parts.every((part) => part !== undefined && isDataset(part))) {
    throw malformed(file, path, 'must have data, indices and indptr');
  }
  const [data, indices, indptr] = parts as [Dataset, Dataset, Dataset];
  if (!isWhole(indices) || !isWhole(indptr)) {
    throw malformed(file, path, 'must have indices and indptr of whole numbers');
  }
  const starts = file.numbers(indptr, 0, rowCount(indptr));
  checkStarts(file, path, starts, lines, rowCount(data), rowCount(indices));
  const addUp = adder(across);
  return {
    rows: lines,
    columns: across,
    inMemory: false,
    values: rowCount(data),
    readRows(start, end) {
      const [from, to] = [starts[start]!, starts[end]!];
      return addUp({
        starts: starts.slice(start, end + 1).map((value) => value - from),
        columns: file.numbers(indices, from, to),
        values: file.numbers(data, from, to),
      });
    },
  };
}

function checkSizes(file: Hdf5File, rows: number, columns: number, { cells, genes }: Sizes): void {
  if (genes === columns && cells === rows) return;
  const problem = `the matrix is ${rows} cells x ${columns} genes, the tables name ${cells} cells and ${genes} genes`;
  throw dataError(file.path, problem, 'Write the file again');
}

function denseMatrix(file: Hdf5File, dataset: Dataset, sizes: Sizes): Matrix {
  const { shape } = dataset;
  if (shape?.length !== 2) {
    throw malformed(file, dataset.path, `must be cells x genes, found the shape ${formatShape(shape ?? [])}`);
  }
  const [rows, columns] = shape as [number, number];
  checkSizes(file, rows, columns, sizes);
  file.check(dataset);
  return {
    rows,
    columns,
    inMemory: false,
    readRows(start, end) {
      return sparsify(file.numbers(dataset, start, end), end - start, columns);
    },
  };
}

function sparsify(dense: Numbers, rows: number, columns: number): Rows {
  let count = 0;
  // NaN is not 0: it is kept, and found later.
  for (const value of dense) if (value !== 0) count++;
  const sparse = {
    starts: new Float64Array(rows + 1),
    columns: new Int32Array(count),
    values: new Float64Array(count),
  };
  let at = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const value = dense[row * columns + column]!;
      if (value === 0) continue;
      sparse.columns[at] = column;
      sparse.values[at++] = value;
    }
    sparse.starts[row + 1] = at;
  }
  return sparse;
}

/** Until 0.6 the attributes had other names. */
function sparseFormat(file: Hdf5File, group: Group): { format: 'csr' | 'csc'; shape: [number, number] } {
  const encoding = file.attribute(group, 'encoding-type') ?? file.attribute(group, 'h5sparse_format');
  const format = /^cs[rc]/.exec(String(encoding))?.[0] as 'csr' | 'csc' | undefined;
  const shape = file.attribute(group, 'shape') ?? file.attribute(group, 'h5sparse_shape');
  if (format === undefined || shape === undefined) {
    throw malformed(file, group.path, 'is neither dense nor csr_matrix nor csc_matrix');
  }
  const sizes = Array.from(shape as ArrayLike<number | bigint>, Number);
  if (sizes.length !== 2) throw malformed(file, group.path, `has the shape ${formatShape(sizes)}`);
  return { format, shape: sizes as [number, number] };
}

function checkStarts(
  file: Hdf5File,
  path: string,
  starts: Numbers,
  lines: number,
  values: number,
  indices: number,
): void {
  if (starts.length !== lines + 1) {
    throw malformed(file, path, `indptr must have ${lines + 1} entries, found ${starts.length}`);
  }
  if (values !== indices || starts[0] !== 0 || starts[lines] !== values) {
    const found = `${values} values, ${indices} indices, indptr from ${starts[0]} to ${starts[lines]}`;
    throw malformed(file, path, `data, indices and indptr disagree: ${found}`);
  }
  for (let line = 0; line < lines; line++) {
    if (starts[line]! <= starts[line + 1]!) continue;
    throw malformed(
      file,
      path,
      `indptr falls from ${starts[line]} to ${starts[line + 1]} at entry ${line + 1}`,
    );
  }
}

function malformed(file: Hdf5File, path: string, problem: string): Error {
  return fileError(file.path, `${path} ${problem}`, 'Write the file again: its matrix is damaged');
}
