// The safetensors format (https://github.com/huggingface/safetensors#format):
//   8 bytes   n, the header's length, unsigned, little endian
//   n bytes   JSON { name: { dtype, shape, data_offsets: [begin, end] }, "__metadata__": { key: text } }, then spaces
//   the rest  the tensors' bytes, little endian, row-major, without gaps
// Typed arrays are used as they lie in memory: every platform that Node runs on is little endian.
import { fileError, formatShape, valueError } from '../tensor/errors.ts';
import type { SafetensorsDtype, StorageArray, StoredTensor, StoredTensors } from '../tensor/stored-tensor.ts';
import { joined } from '../tensor/joined.ts';
import { parseJsonObject } from './json.ts';

interface StorageConstructor {
  readonly name: string;
  readonly BYTES_PER_ELEMENT: number;
  new (length: number): StorageArray;
}

const STORAGE: Readonly<Record<SafetensorsDtype, StorageConstructor>> = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U64: BigUint64Array,
  U32: Uint32Array,
  U16: Uint16Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
};

/** Where a tensor lies, in bytes from the start of the data section. */
export interface TensorSlot {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly slots: readonly TensorSlot[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Where the data section starts in the file. */
  readonly dataStart: number;
}

export interface SafetensorsContents {
  readonly tensors: Map<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The limit of the reference implementation; it bounds what a hostile file makes a reader allocate. */
const MAX_HEADER_BYTES = 100_000_000;
/** The data section starts at a multiple of this, so that a mapped file can be used in place by wide vector loads. */
const DATA_ALIGNMENT = 64;
const REPLACE = 'The file is damaged or not safetensors: copy or export it again';

/** Where everything lies in a file that is to be written. */
export interface SafetensorsLayout {
  /** All that is before the data section. */
  readonly header: Uint8Array;
  /** In the order of the file: where each tensor begins, in bytes from the start of the data section. */
  readonly begins: ReadonlyMap<string, number>;
  readonly dataBytes: number;
}

/**
 * The same tensors give the same file, whatever the order of the map: wide dtypes first, so that each tensor is aligned to its element,
 * then by name.
 * @throws RectiflowError where there is no such dtype or shape
 */
export function safetensorsLayout(
  tensors: ReadonlyMap<string, Pick<StoredTensor, 'dtype' | 'shape'>>,
  metadata: Readonly<Record<string, string>> = {},
): SafetensorsLayout {
  for (const [name, tensor] of tensors) checkType(name, tensor);
  const entries = [...tensors].toSorted(
    ([nameA, a], [nameB, b]) => elementBytes(b.dtype) - elementBytes(a.dtype) || (nameA < nameB ? -1 : 1),
  );
  const header: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) header.push(['__metadata__', sortedMetadata(metadata)]);
  const begins = new Map<string, number>();
  let offset = 0;
  for (const [name, { dtype, shape }] of entries) {
    const end = offset + bytesIn(dtype, shape);
    header.push([name, { dtype, shape, data_offsets: [offset, end] }]);
    begins.set(name, offset);
    offset = end;
  }
  return { header: encodeHeader(header), begins, dataBytes: offset };
}

/**
 * The bytes of a file, as views of the tensors' own memory.
 * @throws RectiflowError when a shape, a dtype and its data disagree
 */
export function safetensorsChunks(
  tensors: StoredTensors,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array[] {
  const { header, begins } = safetensorsLayout(tensors, metadata);
  for (const [name, tensor] of tensors) checkData(name, tensor);
  return [header, ...Array.from(begins.keys(), (name) => bytesOf(tensors.get(name)!.data))];
}

/** The whole file in one array, for small sets of tensors; `writeSafetensors` needs no second copy of large ones. */
export function encodeSafetensors(
  tensors: StoredTensors,
  metadata?: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  return joined(safetensorsChunks(tensors, metadata));
}

/**
 * Reads a file that is already in memory.
 * @param origin how errors call it
 * @throws RectiflowError on any damage: every byte of the file must be accounted for
 */
export function decodeSafetensors(bytes: Uint8Array, origin: string): SafetensorsContents {
  const headerBytes = headerLength(bytes.subarray(0, 8), bytes.length, origin);
  const header = parseSafetensorsHeader(bytes.subarray(8, 8 + headerBytes), bytes.length, origin);
  const tensors = new Map<string, StoredTensor>();
  for (const slot of header.slots) {
    const data = allocateSlot(slot);
    bytesOf(data).set(bytes.subarray(header.dataStart + slot.begin, header.dataStart + slot.end));
    tensors.set(slot.name, { dtype: slot.dtype, shape: slot.shape, data });
  }
  return { tensors, metadata: header.metadata };
}

/** The header's length, from a file's first eight bytes and its size. */
export function headerLength(prefix: Uint8Array, fileBytes: number, origin: string): number {
  if (prefix.length < 8) {
    throw fileError(
      origin,
      `has ${fileBytes} bytes, fewer than the 8 every safetensors file starts with`,
      REPLACE,
    );
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES)) {
    throw fileError(origin, `claims a header of ${length} bytes, more than ${MAX_HEADER_BYTES}`, REPLACE);
  }
  if (8n + length > BigInt(fileBytes)) {
    throw fileError(
      origin,
      `is truncated: its header ends at byte ${8n + length}, the file at ${fileBytes}`,
      REPLACE,
    );
  }
  return Number(length);
}

/** Checks the header completely; what it returns can be read without a further look. */
export function parseSafetensorsHeader(
  header: Uint8Array,
  fileBytes: number,
  origin: string,
): SafetensorsHeader {
  const dataStart = 8 + header.length;
  const slots: TensorSlot[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(parseJsonObject(header, origin, REPLACE))) {
    if (name === '__metadata__') metadata = parseMetadata(entry, origin);
    else slots.push(parseSlot(name, entry, origin));
  }
  slots.sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkCoverage(slots, fileBytes - dataStart, origin);
  return { slots, metadata, dataStart };
}

/** Memory for a slot's values, zeroed. */
export function allocateSlot(slot: TensorSlot): StorageArray {
  return allocate(slot.dtype, (slot.end - slot.begin) / elementBytes(slot.dtype));
}

/** Memory for so many values, zeroed. */
export function allocate(dtype: SafetensorsDtype, length: number): StorageArray {
  return new STORAGE[dtype](length);
}

export function bytesOf(data: ArrayBufferView): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function elementBytes(dtype: SafetensorsDtype): number {
  return STORAGE[dtype].BYTES_PER_ELEMENT;
}

/** What values of this dtype and shape take, in bytes. */
export function bytesIn(dtype: SafetensorsDtype, shape: readonly number[]): number {
  return elements(shape) * elementBytes(dtype);
}

function sortedMetadata(metadata: Readonly<Record<string, string>>): Record<string, string> {
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') throw valueError('safetensors', `metadata "${key}"`, 'a string', value);
  }
  return Object.fromEntries(Object.entries(metadata).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function checkType(name: string, { dtype, shape }: Pick<StoredTensor, 'dtype' | 'shape'>): void {
  const where = `safetensors tensor "${name}"`;
  if (name === '__metadata__')
    throw valueError('safetensors', 'a tensor name', 'free: the format reserves it', name);
  if (!Object.hasOwn(STORAGE, dtype))
    throw valueError(where, 'dtype', `one of ${Object.keys(STORAGE)}`, dtype);
  if (!isShape(shape)) throw valueError(where, 'shape', 'whole numbers from 0', formatShape(shape));
}

function checkData(name: string, { dtype, shape, data }: StoredTensor): void {
  const where = `safetensors tensor "${name}"`;
  if (!(data instanceof STORAGE[dtype])) {
    throw valueError(where, 'data', `a ${STORAGE[dtype].name}, as dtype ${dtype} is held`, data);
  }
  if (elements(shape) !== data.length) {
    throw valueError(where, 'data', `${elements(shape)} values for shape ${formatShape(shape)}`, data.length);
  }
}

function encodeHeader(entries: [string, unknown][]): Uint8Array {
  // Built by hand: an object would move names that look like integers to its front.
  const json = `{${entries.map(([name, entry]) => `${JSON.stringify(name)}:${JSON.stringify(entry)}`).join(',')}}`;
  const text = new TextEncoder().encode(json);
  const total = Math.ceil((8 + text.length) / DATA_ALIGNMENT) * DATA_ALIGNMENT;
  const bytes = new Uint8Array(total).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(total - 8), true);
  bytes.set(text, 8);
  return bytes;
}

function parseMetadata(entry: unknown, origin: string): Record<string, string> {
  const valid = isObject(entry) && Object.values(entry).every((value) => typeof value === 'string');
  if (!valid) throw fileError(origin, 'has a __metadata__ that is not an object of strings', REPLACE);
  return entry as Record<string, string>;
}

function parseSlot(name: string, entry: unknown, origin: string): TensorSlot {
  const fail = (problem: string): never => {
    throw fileError(origin, `tensor "${name}" ${problem}`, REPLACE);
  };
  if (!isObject(entry)) return fail('is not described by an object');
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string' || !Object.hasOwn(STORAGE, dtype)) {
    return fail(`has dtype ${JSON.stringify(dtype)}; known are ${Object.keys(STORAGE).join(', ')}`);
  }
  if (!isShape(shape)) return fail(`has shape ${JSON.stringify(shape)}, wanted whole numbers from 0`);
  if (!isShape(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
    return fail(`has data_offsets ${JSON.stringify(offsets)}, wanted [begin, end] with begin <= end`);
  }
  const [begin, end] = offsets as [number, number];
  const wanted = bytesIn(dtype as SafetensorsDtype, shape);
  if (end - begin !== wanted) {
    return fail(
      `of ${dtype} ${formatShape(shape)} needs ${wanted} bytes, its data_offsets hold ${end - begin}`,
    );
  }
  return { name, dtype: dtype as SafetensorsDtype, shape, begin, end };
}

function checkCoverage(slots: readonly TensorSlot[], dataBytes: number, origin: string): void {
  let covered = 0;
  for (const { name, begin, end } of slots) {
    if (end > dataBytes) {
      const problem = `is truncated: tensor "${name}" ends at byte ${end} of the data, which has ${dataBytes}`;
      throw fileError(origin, problem, REPLACE);
    }
    if (begin < covered) throw fileError(origin, `tensor "${name}" overlaps the one before it`, REPLACE);
    if (begin > covered) {
      throw fileError(origin, `bytes ${covered} to ${begin} of the data belong to no tensor`, REPLACE);
    }
    covered = end;
  }
  if (covered !== dataBytes) {
    throw fileError(origin, `has ${dataBytes - covered} bytes behind its last tensor`, REPLACE);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isShape(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function elements(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
