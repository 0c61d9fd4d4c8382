// HDF5 files by h5wasm, with what it leaves out: errors are thrown with the name of the file and the object, and what it would
// read wrongly without a word is refused (hdf5-checks.ts).
import type { Dataset, Group } from 'h5wasm/node';
import { openRegular } from '../../host/regular-file.ts';
import { toFloat32 } from '../../tensor/to-float32.ts';
import { fileError, systemProblem } from '../../tensor/errors.ts';
import { ChunkFile, isUnpacked } from './chunk-file.ts';
import { TYPE, checkDataset } from './hdf5-checks.ts';
import { type OpenFile, openFile, outsideError } from './hdf5-library.ts';
import { knownFolder, noHdf5 } from './other-formats.ts';

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

/** Those that are read have one or two. */
const ATTRIBUTE_VALUES = 1024;
/** Rows of texts that one read takes at first, and at most. How long they are is known when they are read. */
const TEXTS = { first: 16, most: 2 ** 16, bytes: 2 ** 26 } as const;

/** An open file. Reads are by blocks of rows: the library's heap ends at 2 GiB, files do not. */
export class Hdf5File {
  readonly path: string;
  private readonly opened: OpenFile;
  /** Bytes. */
  private readonly size: number;
  /** Where HDF5 begins. */
  private readonly base: number;
  private readonly checked = new WeakSet<Dataset>();
  private within: readonly string[] = [];
  private chunks: ChunkFile | undefined;

  private constructor(path: string, opened: OpenFile, { size, base }: Extent) {
    this.path = path;
    this.opened = opened;
    this.size = size;
    this.base = base;
  }

  /** @throws RectiflowError when there is no such file, or it is not HDF5 */
  static async open(path: string): Promise<Hdf5File> {
    const extent = await findSignature(path);
    return new Hdf5File(path, await openFile(path), extent);
  }

  close(): void {
    this.opened.close();
    this.chunks?.close();
  }

  /** From now on paths count from the group at `path`. */
  enter(path: string): void {
    this.within = [...this.within, ...path.split('/')];
  }

  /**
   * The group or dataset at `path`, undefined where there is none.
   * @throws RectiflowError where it is damaged, or a link to another file
   */
  find(path: string): Group | Dataset | undefined {
    return this.opened.guard(`${path || 'its root'} cannot be opened`, () => {
      let found: Group | Dataset | undefined = this.opened.file;
      for (const name of [...this.within, ...path.split('/').filter((part) => part !== '')]) {
        if (found === undefined || !isGroup(found) || !found.keys().includes(name)) return undefined;
        found = this.entity(path, found.get(name));
      }
      // Read here, where errors are heard: it is kept with the dataset.
      if (found !== undefined && isDataset(found)) void found.metadata;
      return found;
    });
  }

  private entity(path: string, entity: unknown): Group | Dataset | undefined {
    if (isObject(entity)) return entity;
    const { type, target, filename } = (entity ?? {}) as Record<string, string>;
    if (type === 'ExternalLink') throw outsideError(this.path, `${path} cannot be opened`, filename!);
    if (type !== 'BrokenSoftLink') return undefined;
    const problem = `${path} is a link to ${target}, which is not there`;
    throw fileError(this.path, problem, 'Fetch or write the file again');
  }

  /** Names in a group, by default that where paths begin; none where there is no such group. */
  names(path = ''): string[] {
    const group = this.find(path);
    if (group === undefined || !isGroup(group)) return [];
    return this.opened.guard(`${path || 'its root'} cannot be read`, () => group.keys());
  }

  /** The value of an attribute, undefined where there is none. */
  attribute(object: Group | Dataset, name: string): unknown {
    return this.opened.guard(`attribute ${name} of ${object.path} cannot be read`, () => {
      const attribute = object.attrs[name];
      if (attribute === undefined) return undefined;
      const values = attribute.metadata.total_size;
      if (values > ATTRIBUTE_VALUES) throw new Error(`it has ${values} values`);
      return attribute.value ?? undefined;
    });
  }

  /** The number at `path`, undefined where there is none. */
  scalar(path: string): number | undefined {
    const dataset = this.find(path);
    if (dataset === undefined || !isDataset(dataset) || dataset.metadata.shape?.length !== 0)
      return undefined;
    this.check(dataset);
    const value = this.opened.guard(`${path} cannot be read`, () => dataset.value);
    return typeof value === 'number' ? value : undefined;
  }

  /** The dataset that an attribute refers to. */
  follow(object: Dataset, attribute: string): Dataset | undefined {
    const value = this.attribute(object, attribute);
    const reference = Array.isArray(value) ? value[0] : value;
    if (reference === undefined) return undefined;
    const target = this.opened.guard(`${object.path} refers to nothing`, () =>
      object.dereference(reference as Parameters<Dataset['dereference']>[0]),
    );
    return isObject(target) && isDataset(target) ? target : undefined;
  }

  /** Rows [start, end) of a dataset of numbers (or booleans), row-major. */
  numbers(dataset: Dataset, start: number, end: number): Numbers {
    const { type, size, enum_type } = dataset.metadata;
    if (type !== TYPE.integer && type !== TYPE.float && enum_type === undefined) {
      throw fileError(this.path, `${dataset.path} must hold numbers`, 'Choose another layer or column');
    }
    if (type === TYPE.float && size === 2) {
      // JavaScript has no array of them: their bits are read as whole numbers.
      const metadata = { ...dataset.metadata, type: TYPE.integer, signed: false };
      const bits = this.slice(Object.create(dataset, { metadata: { value: metadata } }), start, end);
      return toFloat32({ dtype: 'F16', shape: [], data: bits as Uint16Array<ArrayBuffer> });
    }
    const values = this.slice(dataset, start, end);
    if (values instanceof BigInt64Array || values instanceof BigUint64Array) {
      return Float64Array.from(values, Number);
    }
    return values as Numbers;
  }

  /** Rows [start, end) of a dataset of strings or numbers, as text. */
  strings(dataset: Dataset, start: number, end: number): string[] {
    if (!isText(dataset)) return Array.from(this.numbers(dataset, start, end), String);
    const texts: string[] = [];
    const last = Math.min(end, rowCount(dataset));
    let [rows, total]: [number, number] = [TEXTS.first, 0];
    for (let from = start; from < last;) {
      const block = this.slice(dataset, from, Math.min(last, from + rows)) as string[];
      from += rows;
      const characters = block.reduce((sum, text) => sum + text.length, 0);
      total += characters;
      // Each is stored on its own: a file that refers to the same one many times would fill the memory.
      if (dataset.metadata.vlen && total > this.size) {
        const problem = `${nameOf(dataset)} is damaged: it refers to more text than the file holds`;
        throw fileError(this.path, problem, 'Fetch or write the file again');
      }
      const length = characters / block.length;
      rows = Math.max(1, Math.min(TEXTS.most, 2 * rows, Math.floor(TEXTS.bytes / (length + 1))));
      for (const text of block) texts.push(text);
    }
    return texts;
  }

  /** Field `field` of rows [start, end) of a compound dataset. */
  field(dataset: Dataset, field: number, start: number, end: number): (string | number)[] {
    const rows = this.slice(dataset, start, end) as unknown[][];
    return rows.map((row) => (typeof row[field] === 'string' ? row[field] : Number(row[field])));
  }

  /**
   * Refuses a dataset that cannot be read, or whose sizes cannot be true: before memory is taken for it.
   * @throws RectiflowError that says why
   */
  check(dataset: Dataset): void {
    if (this.checked.has(dataset)) return;
    this.opened.guard(`${nameOf(dataset)} cannot be read`, () => checkDataset(this.path, dataset, this.size));
    this.checked.add(dataset);
  }

  private unpack(dataset: Dataset, start: number, end: number): unknown {
    this.chunks ??= new ChunkFile(this.path, this.base);
    const bytes = this.chunks.rows(dataset, start, end);
    const { type, vlen } = dataset.metadata;
    if (type === TYPE.string && vlen) return this.chunks.texts(bytes);
    if (type === TYPE.string || type === TYPE.compound)
      throw new Error('only numbers and texts may be compressed so');
    return new (arrayOf(dataset.metadata))(bytes.buffer);
  }

  private slice(dataset: Dataset, start: number, wantedEnd: number): unknown {
    this.check(dataset);
    const end = Math.min(wantedEnd, rowCount(dataset));
    const { type, shape } = dataset.metadata;
    if (start >= end) return type === TYPE.string || type === TYPE.compound ? [] : new Float64Array();
    return this.opened.guard(`${nameOf(dataset)} cannot be read`, () => {
      if (isUnpacked(dataset)) return this.unpack(dataset, start, end);
      const rest = (shape ?? []).slice(1).map((length) => [0, length] as [number, number]);
      return dataset.slice([[start, end], ...rest]);
    });
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

export function isWhole(dataset: Dataset): boolean {
  return dataset.metadata.type === TYPE.integer;
}

/** The names of a compound dataset's fields, undefined where the dataset is another. */
export function fieldNames(dataset: Dataset): string[] | undefined {
  return dataset.metadata.compound_type?.members.map(({ name }) => name);
}

/** What the values of an enumeration are called: booleans are FALSE and TRUE. */
export function enumeration({ metadata: { enum_type } }: Dataset): Map<number, string> | undefined {
  return enum_type && new Map(Object.entries(enum_type.members).map(([name, value]) => [value, name]));
}

function nameOf({ path }: Dataset): string {
  return path.slice(1);
}

export function rowCount(dataset: Dataset): number {
  return dataset.shape?.[0] ?? 0;
}

function isObject(entity: unknown): entity is Group | Dataset {
  const type = (entity as { type?: string } | null)?.type;
  return type === 'Group' || type === 'Dataset';
}

interface Extent {
  readonly size: number;
  readonly base: number;
}

const SIGNATURE = Buffer.from('894844460d0a1a0a', 'hex');
/** What a program puts before HDF5 is 512 bytes long, or twice as many, ...: the library looks no further either. */
const FIRST_USER_BLOCK = 512;

async function findSignature(path: string): Promise<Extent> {
  const head = Buffer.alloc(SIGNATURE.length);
  try {
    const file = await openRegular(path);
    try {
      const { size } = await file.stat();
      for (let base = 0; base < size; base = base === 0 ? FIRST_USER_BLOCK : 2 * base) {
        await file.read(head, 0, head.length, base);
        if (head.equals(SIGNATURE)) return { size, base };
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    const folder = (error as NodeJS.ErrnoException).code === 'EISDIR' ? await knownFolder(path) : undefined;
    throw folder ?? fileError(path, systemProblem(error), 'Check the path', error);
  }
  throw noHdf5(path);
}
