// The matrix of an .h5ad file: dense, or compressed sparse rows or columns.
import { dataError, fileError, formatShape } from '../../tensor/errors.ts';
import { didYouMean } from '../../tensor/suggest.ts';
import { type Dataset, type Group, type Hdf5File, type Numbers, isDataset, rowCount } from './hdf5.ts';
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

/**
 * Opens a matrix. One of compressed columns is read twice, block by block, and turned into rows in memory, since rows are what
 * training needs.
 * @throws RectiflowError when it is malformed, or has compressed columns and is too large for that
 */
export async function openMatrix(
  file: Hdf5File,
  path: string,
  memoryLimit: number = MEMORY_LIMIT,
): Promise<Matrix> {
  const object = file.find(path)!;
  if (isDataset(object)) return denseMatrix(file, object);
  const { format, shape } = sparseFormat(file, object);
  const parts = ['data', 'indices', 'indptr'].map((name) => file.find(`${path}/${name}`));
  if (!parts.every((part) => part !== undefined && isDataset(part))) {
    throw malformed(file, path, 'must have data, indices and indptr');
  }
  const [data, indices, indptr] = parts as [Dataset, Dataset, Dataset];
  const [rows, columns] = shape;
  const lines = format === 'csr' ? rows : columns;
  const starts = file.numbers(indptr, 0, rowCount(indptr));
  checkStarts(file, path, starts, lines, rowCount(data), rowCount(indices));
  const readLines = (start: number, end: number): Rows => {
    const [from, to] = [starts[start]!, starts[end]!];
    return {
      starts: starts.slice(start, end + 1).map((value) => value - from),
      columns: file.numbers(indices, from, to),
      values: file.numbers(data, from, to),
    };
  };
  const stored: Matrix = {
    rows: lines,
    columns: format === 'csr' ? columns : rows,
    inMemory: false,
    readRows: readLines,
  };
  if (format === 'csr') return stored;
  const bytes = matrixBytes(rowCount(data), rows, columns);
  if (bytes > memoryLimit) {
    const problem = `${path} has compressed columns (CSC), as rows it takes ${Math.ceil(bytes / 2 ** 20)} MiB of memory`;
    throw fileError(file.path, problem, 'Write it again with compressed rows: adata.X = adata.X.tocsr()');
  }
  return transpose(stored, rowCount(data), (row, column) => {
    throw malformed(file, path, `has index ${row} in column ${column}, there are ${rows} rows`);
  });
}

function denseMatrix(file: Hdf5File, dataset: Dataset): Matrix {
  const { shape } = dataset;
  if (shape?.length !== 2) {
    throw malformed(file, dataset.path, `must be cells x genes, found the shape ${formatShape(shape ?? [])}`);
  }
  const [rows, columns] = shape as [number, number];
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
  const [rows, columns] = Array.from(shape as ArrayLike<number | bigint>, Number);
  return { format, shape: [rows!, columns!] };
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
