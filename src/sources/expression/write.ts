// .h5ad files in anndata's current layout (https://anndata.readthedocs.io/en/stable/fileformat-prose.html): each element says
// in attributes what it is.
import { mkdir, rename, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import type { Group } from 'h5wasm/node';
import { WITHOUT_CHECKSUMS, finishBooleans, writeBooleans } from './boolean-column.ts';
import { fileError, shapeError, systemProblem, valueError } from '../../tensor/errors.ts';

export interface ExpressionFile {
  readonly genes: readonly string[];
  /** X: [N, G], row-major. */
  readonly values: Float32Array;
  /** Further matrices of the same shape, by name. */
  readonly layers?: Readonly<Record<string, Float32Array>>;
  /** A categorical column of obs. */
  readonly classes?: ClassColumn;
  /** What cells are called, before -0, -1, ...; `cell` by default. */
  readonly cells?: string;
  /** Goes to uns/rectiflow. */
  readonly provenance?: Readonly<Record<string, string | number>>;
}

export interface ClassColumn {
  readonly column: string;
  readonly names: readonly string[];
  /** One per cell, in [0, names.length). */
  readonly labels: ArrayLike<number>;
  /** Whether the classes are False and True, written as booleans. */
  readonly areBooleans?: boolean;
}

/** Values of a dataset that are compressed at a time. */
const CHUNK = 2 ** 16;

/**
 * Writes cells as an .h5ad file, its matrices as compressed sparse rows. The file appears under its name once it is whole; the folders
 * above it are made.
 * @throws RectiflowError when sizes disagree, a value is not finite, or the file cannot be written
 */
export async function writeExpression(path: string, file: ExpressionFile): Promise<void> {
  const cells = checkFile(file);
  const target = resolve(path);
  const unfinished = `${target}.${process.pid}.tmp`;
  try {
    await mkdir(dirname(target), { recursive: true });
    await writeFile(unfinished, file, cells);
    await rename(unfinished, target);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw fileError(path, `cannot be written: ${systemProblem(error)}`, 'Check the path and the disk', error);
  }
}

async function writeFile(
  path: string,
  { genes, values, layers = {}, classes, cells: prefix = 'cell', provenance = {} }: ExpressionFile,
  cells: number,
): Promise<void> {
  const { File } = await loadWriter();
  const file = new File(path, 'w', classes?.areBooleans ? WITHOUT_CHECKSUMS : {});
  try {
    describe(file, 'anndata', '0.1.0');
    writeMatrix(file, 'X', values, cells, genes.length);
    const group = writeMapping(file, 'layers');
    for (const [name, layer] of Object.entries(layers)) writeMatrix(group, name, layer, cells, genes.length);
    const names = Array.from({ length: cells }, (_, cell) => `${prefix}-${cell}`);
    const obs = writeTable(file, 'obs', names, classes === undefined ? [] : [classes.column]);
    if (classes !== undefined) writeClasses(obs, classes);
    writeTable(file, 'var', genes, []);
    writeScalars(writeMapping(file, 'uns'), 'rectiflow', provenance);
  } finally {
    file.close();
  }
  if (classes?.areBooleans) await finishBooleans(path);
}

async function loadWriter(): Promise<typeof import('h5wasm/node')> {
  const library = await import('h5wasm/node');
  // Without it errors are printed, and the file lacks what could not be written.
  (await library.ready).activate_throwing_error_handler();
  return library;
}

function describe(element: Pick<Group, 'create_attribute'>, type: string, version: string): void {
  element.create_attribute('encoding-type', type, [], 'S');
  element.create_attribute('encoding-version', version, [], 'S');
}

function writeMapping(parent: Group, name: string): Group {
  const group = parent.create_group(name);
  describe(group, 'dict', '0.1.0');
  return group;
}

function writeScalars(parent: Group, name: string, scalars: Readonly<Record<string, string | number>>): void {
  if (Object.keys(scalars).length === 0) return;
  const group = writeMapping(parent, name);
  for (const [key, value] of Object.entries(scalars)) {
    const isText = typeof value === 'string';
    const data = group.create_dataset({ name: key, data: value, shape: [], dtype: isText ? 'S' : '<d' });
    describe(data, isText ? 'string' : 'numeric-scalar', '0.2.0');
  }
}

function writeMatrix(parent: Group, name: string, values: Float32Array, rows: number, columns: number): void {
  const group = parent.create_group(name);
  describe(group, 'csr_matrix', '0.1.0');
  group.create_attribute('shape', BigInt64Array.of(BigInt(rows), BigInt(columns)));
  const starts = new Int32Array(rows + 1);
  const stored = Uint32Array.from(values.keys()).filter((i) => values[i] !== 0);
  for (const i of stored) starts[Math.floor(i / columns) + 1]!++;
  for (let row = 0; row < rows; row++) starts[row + 1]! += starts[row]!;
  writeArray(
    group,
    'data',
    Float32Array.from(stored, (i) => values[i]!),
  );
  writeArray(
    group,
    'indices',
    Int32Array.from(stored, (i) => i % columns),
  );
  writeArray(group, 'indptr', starts);
}

function writeArray(group: Group, name: string, data: Float32Array | Int32Array): void {
  const compressed =
    data.length === 0 ? {} : { chunks: [Math.min(CHUNK, data.length)], compression: 'gzip' as const };
  group.create_dataset({ name, data, shape: [data.length], ...compressed });
}

function writeTable(
  parent: Group,
  name: string,
  index: readonly string[],
  columns: readonly string[],
): Group {
  const group = parent.create_group(name);
  describe(group, 'dataframe', '0.2.0');
  group.create_attribute('_index', '_index', [], 'S');
  // Of no strings the library writes no attribute; anndata writes an empty array of numbers, too.
  if (columns.length === 0) group.create_attribute('column-order', new Float64Array(), [0]);
  else group.create_attribute('column-order', [...columns], [columns.length], 'S');
  writeStrings(group, '_index', index);
  return group;
}

function writeStrings(group: Group, name: string, values: readonly string[]): void {
  const data = group.create_dataset({ name, data: [...values], shape: [values.length], dtype: 'S' });
  describe(data, 'string-array', '0.2.0');
}

function writeClasses(obs: Group, { column, names, labels, areBooleans }: ClassColumn): void {
  if (areBooleans) {
    const values = Int8Array.from(labels, (label) => (names[label] === 'True' ? 1 : 0));
    describe(writeBooleans(obs, column, values), 'array', '0.2.0');
    return;
  }
  const group = obs.create_group(column);
  describe(group, 'categorical', '0.2.0');
  // The library writes no booleans, which are enumerations in HDF5; anndata takes any number for one.
  group.create_attribute('ordered', Int8Array.of(0), []);
  writeStrings(group, 'categories', names);
  const codes = Int32Array.from(labels);
  describe(group.create_dataset({ name: 'codes', data: codes, shape: [codes.length] }), 'array', '0.2.0');
}

function checkFile({ genes, values, layers = {}, classes }: ExpressionFile): number {
  const cells = classes?.labels.length ?? values.length / genes.length;
  for (const [name, matrix] of Object.entries({ values, ...layers })) {
    if (matrix.length !== cells * genes.length || !Number.isInteger(cells)) {
      throw shapeError('writeExpression', name, `[N, G] with N = ${cells}, G = ${genes.length}`, [
        matrix.length,
      ]);
    }
    const wrong = matrix.find((value) => !Number.isFinite(value));
    if (wrong !== undefined) throw valueError('writeExpression', name, 'finite numbers', wrong);
  }
  const outside = Array.from(classes?.labels ?? []).find((label) => classes!.names[label] === undefined);
  if (outside !== undefined) {
    const wanted = `classes from 0 to ${classes!.names.length - 1}`;
    throw valueError('writeExpression', 'classes.labels', wanted, outside);
  }
  return cells;
}
