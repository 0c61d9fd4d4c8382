// Makes archives in the form of torch.save, well and badly formed ones.
import { deflateRawSync } from 'node:zlib';
import { crc32 } from '../../src/formats/pytorch/crc32.ts';

export interface Member {
  readonly name: string;
  readonly data: Uint8Array;
  readonly deflate?: boolean;
  /** What the directory says in place of the truth. */
  readonly lies?: {
    readonly bytes?: number;
    readonly storedBytes?: number;
    readonly position?: number;
    readonly crc?: number;
    readonly method?: number;
    readonly flags?: number;
  };
}

export interface ArchiveOptions {
  /** Sizes in zip64 fields, as torch writes them for large files. */
  readonly zip64?: boolean;
  /** Of the members that the end says there are. */
  readonly count?: number;
}

export function zip(
  members: readonly Member[],
  { zip64 = false, count = members.length }: ArchiveOptions = {},
): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let position = 0;
  for (const { name, data, deflate = false, lies = {} } of members) {
    const stored = deflate ? deflateRawSync(data) : Buffer.from(data);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50);
    local.writeUInt16LE(name.length, 26);
    parts.push(local, Buffer.from(name), stored);
    const real = { bytes: data.length, storedBytes: stored.length, position, crc: crc32(data) };
    const told = { ...real, method: deflate ? 8 : 0, flags: 0, ...lies };
    directory.push(member(name, told, zip64));
    position += local.length + name.length + stored.length;
  }
  return Buffer.concat([
    ...parts,
    ...directory,
    end(position, Buffer.concat(directory).length, count, zip64),
  ]);
}

function member(name: string, told: Required<NonNullable<Member['lies']>>, zip64: boolean): Buffer {
  const sizes = [told.bytes, told.storedBytes, told.position];
  const extra = zip64 ? Buffer.alloc(28) : Buffer.alloc(0);
  if (zip64) {
    extra.writeUInt16LE(1);
    extra.writeUInt16LE(24, 2);
    sizes.forEach((size, i) => extra.writeBigUInt64LE(BigInt(size), 4 + 8 * i));
  }
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50);
  header.writeUInt16LE(told.flags, 8);
  header.writeUInt16LE(told.method, 10);
  header.writeUInt32LE(told.crc, 16);
  [24, 20, 42].forEach((at, i) => header.writeUInt32LE(zip64 ? 0xffffffff : sizes[i]!, at));
  header.writeUInt16LE(name.length, 28);
  header.writeUInt16LE(extra.length, 30);
  return Buffer.concat([header, Buffer.from(name), extra]);
}

function end(start: number, bytes: number, count: number, zip64: boolean): Buffer {
  const record = Buffer.alloc(56);
  record.writeUInt32LE(0x06064b50);
  record.writeBigUInt64LE(BigInt(count), 32);
  record.writeBigUInt64LE(BigInt(bytes), 40);
  record.writeBigUInt64LE(BigInt(start), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50);
  locator.writeBigUInt64LE(BigInt(start + bytes), 8);
  const short = Buffer.alloc(22);
  short.writeUInt32LE(0x06054b50);
  short.writeUInt16LE(Math.min(count, 0xffff), 10);
  short.writeUInt32LE(bytes, 12);
  short.writeUInt32LE(start, 16);
  return zip64 ? Buffer.concat([record, locator, short]) : short;
}

/** What torch.save makes of a pickle and the storages that it names. */
export function torchArchive(
  pickle: Uint8Array,
  storages: Readonly<Record<string, Uint8Array>> = {},
  options?: ArchiveOptions & { readonly deflate?: boolean },
): Buffer {
  const deflate = options?.deflate ?? false;
  const members = Object.entries(storages).map(([key, data]) => ({
    name: `archive/data/${key}`,
    data,
    deflate,
  }));
  return zip([{ name: 'archive/data.pkl', data: pickle, deflate }, ...members], options);
}

// The parts of a pickle; pickletools.py has the instructions.

export const pickle = (...parts: Uint8Array[]): Buffer =>
  Buffer.concat([Buffer.from([0x80, 2]), ...parts, Buffer.from('.')]);

export const bytes = (...values: number[]): Buffer => Buffer.from(values);

export function text(value: string): Buffer {
  const data = Buffer.from(value);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(data.length);
  return Buffer.concat([Buffer.from('X'), length, data]);
}

export function integer(value: number): Buffer {
  const data = Buffer.alloc(9);
  data.writeBigInt64LE(BigInt(value), 1);
  return Buffer.concat([bytes(0x8a, 8), data.subarray(1)]);
}

export const global = (module: string, name: string): Buffer => Buffer.from(`c${module}\n${name}\n`);

export const tuple = (...items: Uint8Array[]): Buffer =>
  Buffer.concat([Buffer.from('('), ...items, Buffer.from('t')]);

export const call = (callee: Uint8Array, ...args: Uint8Array[]): Buffer =>
  Buffer.concat([callee, tuple(...args), Buffer.from('R')]);

export const dict = (entries: Readonly<Record<string, Uint8Array>>): Buffer =>
  Buffer.concat([
    Buffer.from('}('),
    ...Object.entries(entries).flatMap(([key, value]) => [text(key), value]),
    Buffer.from('u'),
  ]);

export interface TensorParts {
  readonly key?: string;
  readonly type?: string;
  readonly elements: number;
  readonly offset?: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

/** A tensor as torch pickles it. */
export function tensor({
  key = '0',
  type = 'FloatStorage',
  elements,
  offset = 0,
  shape,
  strides,
}: TensorParts): Buffer {
  const id = tuple(text('storage'), global('torch', type), text(key), text('cpu'), integer(elements));
  return call(
    global('torch._utils', '_rebuild_tensor_v2'),
    Buffer.concat([id, Buffer.from('Q')]),
    integer(offset),
    tuple(...shape.map(integer)),
    tuple(...strides.map(integer)),
    bytes(0x89),
    call(global('collections', 'OrderedDict')),
  );
}
