// Small .h5ad files for tests, written with h5wasm directly: also what no sound program writes.
import type { Group } from 'h5wasm/node';

type Column =
  | readonly string[]
  | Int32Array
  | Float64Array
  | { codes: readonly number[]; categories: readonly string[] }
  | { values: readonly number[] | readonly string[]; mask: readonly number[] };

export interface TinyFile {
  /** Cells x genes: dense where it is an array of rows, else the parts of a sparse matrix. */
  readonly X: readonly (readonly number[])[] | Sparse;
  readonly layers?: Readonly<Record<string, readonly (readonly number[])[]>>;
  readonly obs?: Readonly<Record<string, Column>>;
  readonly cells: number;
  readonly genes: readonly string[];
  /** Where it is another number than that of the names. */
  readonly columns?: number;
  /** Of uns/log1p. */
  readonly logBase?: number;
}

export interface Sparse {
  readonly format: 'csr' | 'csc';
  readonly data: readonly number[];
  readonly indices: readonly number[];
  readonly indptr: readonly number[];
}

/** Writes a file in anndata's current layout. */
export async function writeTiny(path: string, tiny: TinyFile): Promise<void> {
  const { X, layers = {}, obs = {}, cells, genes, columns = genes.length, logBase } = tiny;
  const { File, ready } = await import('h5wasm/node');
  await ready;
  const file = new File(path, 'w');
  attribute(file, 'encoding-type', 'anndata');
  writeMatrix(file, 'X', X, [cells, columns]);
  const group = file.create_group('layers');
  for (const [name, rows] of Object.entries(layers)) writeMatrix(group, name, rows, [cells, columns]);
  const index = Array.from({ length: cells }, (_, i) => `cell-${'abcdefgh'[i]}`);
  const obsGroup = writeTable(file, 'obs', index);
  for (const [name, column] of Object.entries(obs)) writeColumn(obsGroup, name, column);
  writeTable(file, 'var', genes);
  if (logBase !== undefined) {
    const parameters = file.create_group('uns').create_group('log1p');
    parameters.create_dataset({ name: 'base', data: Float64Array.of(logBase), shape: [] });
  }
  file.close();
}

export function attribute(group: Group, name: string, value: string): void {
  group.create_attribute(name, value, [], 'S');
}

function writeTable(parent: Group, name: string, index: readonly string[]): Group {
  const group = parent.create_group(name);
  attribute(group, '_index', 'names');
  attribute(group, 'encoding-type', 'dataframe');
  group.create_dataset({ name: 'names', data: [...index], dtype: 'S' });
  return group;
}

function writeColumn(group: Group, name: string, column: Column): void {
  if (!('codes' in column) && !('mask' in column)) {
    const data = Array.isArray(column) ? [...column] : (column as Int32Array);
    group.create_dataset({ name, data });
    return;
  }
  const parts = group.create_group(name);
  if ('mask' in column) {
    const texts = column.values.filter((value) => typeof value === 'string');
    const isText = texts.length > 0;
    attribute(parts, 'encoding-type', isText ? 'nullable-string-array' : 'nullable-integer');
    const numbers = BigInt64Array.from(isText ? [] : column.values.map(Number), BigInt);
    parts.create_dataset({ name: 'values', data: isText ? texts : numbers });
    parts.create_dataset({ name: 'mask', data: Int8Array.from(column.mask) });
  } else {
    attribute(parts, 'encoding-type', 'categorical');
    parts.create_dataset({ name: 'codes', data: Int8Array.from(column.codes) });
    parts.create_dataset({ name: 'categories', data: [...column.categories], dtype: 'S' });
  }
}

function writeMatrix(parent: Group, name: string, X: TinyFile['X'], shape: [number, number]): void {
  if ('format' in X) {
    const group = parent.create_group(name);
    attribute(group, 'encoding-type', `${X.format}_matrix`);
    group.create_attribute('shape', BigInt64Array.from(shape, BigInt));
    group.create_dataset({ name: 'data', data: Float32Array.from(X.data) });
    group.create_dataset({ name: 'indices', data: Int32Array.from(X.indices) });
    group.create_dataset({ name: 'indptr', data: BigInt64Array.from(X.indptr, BigInt) });
  } else {
    parent.create_dataset({ name, data: Float64Array.from(X.flat()), shape });
  }
}
