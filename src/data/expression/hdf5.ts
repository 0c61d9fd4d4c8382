// HDF5 files by h5wasm, with what it leaves out: errors are thrown with the name of the file and the object, and what it would
// read wrongly without a word (filters it lacks, big-endian numbers) is refused.
import { resolve } from 'node:path';
import type { Dataset, File, Group } from 'h5wasm/node';
import { openRegular } from '../../checkpoint/regular-file.ts';
import { fileError, systemProblem } from '../../tensor/errors.ts';
import { LzfFile, isLzf } from './lzf.ts';

export type { Dataset, Group } from 'h5wasm/node';

export type Numbers =
  | Float64Array
  | Float32Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array;

/** Deflate, shuffle, Fletcher's checksum, n-bit and scale-offset: those of the HDF5 library itself. */
const KNOWN_FILTERS = new Set([1, 2, 3, 5, 6]);
const TYPE = { integer: 0, float: 1, string: 3, compound: 6, enumeration: 8 } as const;

/** An open file. Reads are by blocks of rows: the library's heap ends at 2 GiB, files do not. */
export class Hdf5File {
  readonly path: string;
  private readonly file: File;
  private lzf: LzfFile | undefined;

  private constructor(path: string, file: File) {
    this.path = path;
    this.file = file;
  }

  /** @throws RectiflowError when there is no such file, or it is not HDF5 */
  static async open(path: string): Promise<Hdf5File> {
    await checkSignature(path);
    const { File: H5File } = await loadLibrary();
    // Absolute: the library has a working folder of its own.
    const file = guard(path, 'cannot be opened', () => new H5File(resolve(path), 'r'));
    return new Hdf5File(path, file);
  }

  close(): void {
    this.file.close();
    this.lzf?.close();
  }

  /** The group or dataset at `path`, undefined where there is none. */
  find(path: string): Group | Dataset | undefined {
    return guard(this.path, `${path} cannot be opened`, () => {
      let found: Group | Dataset | undefined = this.file;
      for (const name of path.split('/')) {
        if (found === undefined || !isGroup(found) || !found.keys().includes(name)) return undefined;
        const entity: unknown = found.get(name);
        found = isObject(entity) ? entity : undefined;
      }
      return found;
    });
  }

  /** Names in a group, none where there is no such group. */
  names(path: string): string[] {
    const group = this.find(path);
    return group !== undefined && isGroup(group) ? group.keys() : [];
  }

  /** The value of an attribute, undefined where there is none. */
  attribute(object: Group | Dataset, name: string): unknown {
    return guard(this.path, `attribute ${name} of ${object.path} cannot be read`, () => {
      const attribute = object.attrs[name];
      return attribute === undefined ? undefined : (attribute.value ?? undefined);
    });
  }

  /** The dataset that an attribute refers to. */
  follow(object: Dataset, attribute: string): Dataset | undefined {
    const value = this.attribute(object, attribute);
    const reference = Array.isArray(value) ? value[0] : value;
    if (reference === undefined) return undefined;
    const target = guard(this.path, `${object.path} refers to nothing`, () =>
      object.dereference(reference as Parameters<Dataset['dereference']>[0]),
    );
    return isObject(target) && isDataset(target) ? target : undefined;
  }

  /** Rows [start, end) of a dataset of numbers (or booleans), row-major. */
  numbers(dataset: Dataset, start: number, end: number): Numbers {
    const { type, enum_type } = dataset.metadata;
    if (type !== TYPE.integer && type !== TYPE.float && enum_type === undefined) {
      throw fileError(this.path, `${dataset.path} must hold numbers`, 'Choose another layer or column');
    }
    const values = this.slice(dataset, start, end);
    if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
      return Float64Array.from(values, Number);
    }
    return values as Numbers;
  }

  /** Rows [start, end) of a dataset of strings or numbers, as text. */
  strings(dataset: Dataset, start: number, end: number): string[] {
    if (isText(dataset)) return this.slice(dataset, start, end) as string[];
    return Array.from(this.numbers(dataset, start, end), String);
  }

  /** Field `field` of rows [start, end) of a compound dataset. */
  field(dataset: Dataset, field: number, start: number, end: number): (string | number)[] {
    const rows = this.slice(dataset, start, end) as unknown[][];
    return rows.map((row) => (typeof row[field] === 'string' ? row[field] : Number(row[field])));
  }

  private sliceLzf(dataset: Dataset, start: number, end: number): unknown {
    this.lzf ??= new LzfFile(this.path);
    const bytes = this.lzf.rows(dataset, start, end);
    const { type, vlen } = dataset.metadata;
    if (type === TYPE.string && vlen) return this.lzf.texts(bytes);
    if (type === TYPE.string || type === TYPE.compound)
      throw new Error('only numbers and texts may be compressed with LZF');
    return new (arrayOf(dataset.metadata))(bytes.buffer);
  }

  private slice(dataset: Dataset, start: number, wantedEnd: number): unknown {
    const end = Math.min(wantedEnd, rowCount(dataset));
    const path = dataset.path.slice(1);
    const { littleEndian, size, type, shape } = dataset.metadata;
    const lacking = dataset.filters.find(({ id }) => !KNOWN_FILTERS.has(id));
    if (lacking !== undefined && !isLzf(dataset)) {
      const problem = `${path} is compressed with ${lacking.name} (HDF5 filter ${lacking.id}), which cannot be read`;
      throw fileError(this.path, problem, "Write the file again with compression='gzip' or with none");
    }
    if (!littleEndian && size > 1 && (type === TYPE.integer || type === TYPE.float)) {
      throw fileError(
        this.path,
        `${path} holds big-endian numbers`,
        'Write it again with little-endian ones',
      );
    }
    if (start >= end) return type === TYPE.string || type === TYPE.compound ? [] : new Float64Array();
    if (isLzf(dataset))
      return guard(this.path, `${path} cannot be read`, () => this.sliceLzf(dataset, start, end));
    const rest = (shape ?? []).slice(1).map((length) => [0, length] as [number, number]);
    return guard(this.path, `${path} cannot be read`, () => dataset.slice([[start, end], ...rest]));
  }
}

/** The array that holds numbers of a type in memory. */
function arrayOf({
  type,
  size,
  signed,
}: Dataset['metadata']): new (buffer: ArrayBufferLike) => Numbers | BigInt64Array {
  const isFloat = type === TYPE.float;
  const arrays = isFloat
    ? { 4: Float32Array, 8: Float64Array }
    : signed
      ? { 1: Int8Array, 2: Int16Array, 4: Int32Array, 8: BigInt64Array }
      : { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array };
  const array = (arrays as Record<number, unknown>)[size];
  if (array === undefined) throw new Error(`there are no numbers of ${size} bytes`);
  return array as ReturnType<typeof arrayOf>;
}

export function isDataset(object: Group | Dataset): object is Dataset {
  return object.type === 'Dataset';
}

export function isGroup(object: Group | Dataset): object is Group {
  return object.type === 'Group';
}

export function isText(dataset: Dataset): boolean {
  return dataset.metadata.type === TYPE.string;
}

/** The names of a compound dataset's fields, undefined where the dataset is another. */
export function fieldNames(dataset: Dataset): string[] | undefined {
  return dataset.metadata.compound_type?.members.map(({ name }) => name);
}

/** What the values of an enumeration are called: booleans are FALSE and TRUE. */
export function enumeration({ metadata: { enum_type } }: Dataset): Map<number, string> | undefined {
  return enum_type && new Map(Object.entries(enum_type.members).map(([name, value]) => [value, name]));
}

export function rowCount(dataset: Dataset): number {
  return dataset.shape?.[0] ?? 0;
}

/** Loaded when the first file is opened: the library has 4 MB. */
export async function loadLibrary(): Promise<typeof import('h5wasm/node')> {
  const library = await import('h5wasm/node');
  // Without it errors are printed, and what was not read is whatever the memory held.
  (await library.ready).activate_throwing_error_handler();
  return library;
}

/** Runs `action`; what the library throws becomes an error that says what went wrong with which file. */
export function guard<T>(path: string, problem: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    // HDF5 prints its stack outermost first: the last line says what went wrong.
    const text = error instanceof Error ? error.message : String(error);
    const reason = [...text.matchAll(/\(\): (.+)$/gm)].at(-1)?.[1] ?? text;
    throw fileError(path, `${problem}: ${reason}`, 'Fetch or write the file again', error);
  }
}

function isObject(entity: unknown): entity is Group | Dataset {
  const type = (entity as { type?: string } | null)?.type;
  return type === 'Group' || type === 'Dataset';
}

const SIGNATURE = '894844460d0a1a0a';

async function checkSignature(path: string): Promise<void> {
  const head = Buffer.alloc(SIGNATURE.length / 2);
  try {
    const file = await openRegular(path);
    await file.read(head).finally(() => file.close());
  } catch (error) {
    throw fileError(path, systemProblem(error), 'Check the path', error);
  }
  if (head.toString('hex') !== SIGNATURE) {
    throw fileError(
      path,
      'is no HDF5 file, which .h5ad files are',
      'Check the path, or fetch the file again',
    );
  }
}
