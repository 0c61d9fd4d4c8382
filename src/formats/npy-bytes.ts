// The .npy format (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html):
//   6 bytes  \x93NUMPY | 2 bytes  version | 2 bytes (version 1) or 4 (2 and 3)  n, little endian
//   n bytes  a Python dict as text: {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
//   the rest the values, row-major
import { allocateSlot, bytesIn, bytesOf } from './safetensors.ts';
import type { SafetensorsDtype, StoredTensor } from '../tensor/stored-tensor.ts';
import { fileError, formatShape, valueError } from '../tensor/errors.ts';

/** Of numpy's names for types those that are read here; one byte has no byte order. */
const DTYPES: Readonly<Record<string, SafetensorsDtype>> = {
  '|b1': 'BOOL',
  '|u1': 'U8',
  '|i1': 'I8',
  '<i2': 'I16',
  '<i4': 'I32',
  '<i8': 'I64',
  '<u2': 'U16',
  '<u4': 'U32',
  '<f2': 'F16',
  '<f4': 'F32',
  '<f8': 'F64',
};

/** \x93NUMPY */
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
/** Longer headers describe structured types, which are refused anyway. */
const MOST_HEADER = 1 << 16;
/** Bytes that a file may have before its values, at most. */
export const MOST_NPY_HEADER: number = 12 + MOST_HEADER;
/** Values begin at a multiple of this. */
const ALIGNMENT = 64;
const REPLACE = 'Write it again with numpy.save';

export interface NpyHeader {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** Where the values start, in bytes. */
  readonly dataStart: number;
}

/**
 * The array of a .npy file that is in memory.
 * @param origin how errors call it
 * @throws RectiflowError as `readNpyHeader` does
 */
export function decodeNpy(bytes: Uint8Array, origin: string): StoredTensor {
  const { dtype, shape, dataStart } = parseNpyHeader(bytes, bytes.length, origin);
  const data = allocateSlot({ name: origin, dtype, shape, begin: 0, end: bytesIn(dtype, shape) });
  bytesOf(data).set(bytes.subarray(dataStart));
  return { dtype, shape, data };
}

/** What a .npy file begins with; its values follow, row-major. */
export function npyHeader(dtype: SafetensorsDtype, shape: readonly number[]): Uint8Array {
  const [type] = Object.entries(DTYPES).find(([, each]) => each === dtype) ?? [];
  if (type === undefined)
    throw valueError('npy', 'dtype', `one of ${Object.values(DTYPES).join(', ')}`, dtype);
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${type}', 'fortran_order': False, 'shape': (${sizes}), }`;
  const bytes = new Uint8Array(Math.ceil((10 + text.length + 1) / ALIGNMENT) * ALIGNMENT).fill(0x20);
  bytes.set([...MAGIC, 1, 0]);
  new DataView(bytes.buffer).setUint16(8, bytes.length - 10, true);
  bytes.set(new TextEncoder().encode(text), 10);
  bytes[bytes.length - 1] = 0x0a;
  return bytes;
}

/** @param start of the file: all of it, or more than a header has */
export function parseNpyHeader(start: Uint8Array, size: number, path: string): NpyHeader {
  if (start.length < 8 || MAGIC.some((byte, i) => start[i] !== byte)) {
    throw fileError(path, 'is no .npy file: it does not start with \\x93NUMPY', 'Check the path');
  }
  const version = start[6]!;
  if (version < 1 || version > 3) throw fileError(path, `has version ${version}, known are 1 to 3`, REPLACE);
  const prefix = version === 1 ? 10 : 12;
  if (size < prefix) throw fileError(path, 'is truncated: it ends inside its header', REPLACE);
  const view = new DataView(start.buffer, start.byteOffset);
  const length = version === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (length > MOST_HEADER)
    throw fileError(path, `has a header of ${length} bytes, more than ${MOST_HEADER}`, REPLACE);
  const dataStart = prefix + length;
  if (dataStart > size) throw fileError(path, 'is truncated: it ends inside its header', REPLACE);
  const text = start.subarray(prefix, dataStart);
  const { dtype, shape } = parseDescription(
    new TextDecoder(version === 3 ? 'utf-8' : 'latin1').decode(text),
    path,
  );
  const wanted = bytesIn(dtype, shape);
  if (size - dataStart === wanted) return { dtype, shape, dataStart };
  const state = size - dataStart < wanted ? 'is truncated' : 'is too long';
  const problem = `${state}: shape ${formatShape(shape)} of ${dtype} needs ${wanted} bytes, found ${size - dataStart}`;
  throw fileError(path, problem, REPLACE);
}

function parseDescription(text: string, path: string): Pick<NpyHeader, 'dtype' | 'shape'> {
  const descr = /'descr':\s*('([^']*)'|\[)/.exec(text);
  const order = /'fortran_order':\s*(True|False)/.exec(text);
  const dimensions = /'shape':\s*\(([\d,\s]*)\)/.exec(text);
  if (descr === null || order === null || dimensions === null) {
    throw fileError(path, 'has a header that cannot be read', REPLACE);
  }
  const type = descr[2];
  if (type === undefined)
    throw fileError(path, 'holds records of several fields', 'Save each field as an array of its own');
  if (type === '|O')
    throw fileError(path, 'holds Python objects, not numbers', 'Convert them: numpy.stack(list(array))');
  const dtype = DTYPES[type] ?? DTYPES[type.replace(/^[<=]/, '|')];
  if (dtype === undefined) {
    const problem = `has values of type ${type}; known are ${Object.keys(DTYPES).join(', ')}`;
    throw fileError(path, problem, `Convert it: ${conversionOf(type)}`);
  }
  // In one dimension both orders are the same.
  const shape = dimensions[1]!
    .split(',')
    .map((size) => size.trim())
    .filter((size) => size !== '')
    .map(Number);
  if (order[1] === 'True' && shape.length > 1) {
    throw fileError(
      path,
      'is in Fortran order',
      'Save it in C order: numpy.save(path, numpy.ascontiguousarray(array))',
    );
  }
  return { dtype, shape };
}

/** How numpy makes a known type of another, without losing any of it unsaid. */
function conversionOf(type: string): string {
  const little = `<${type.slice(1)}`;
  if (type.startsWith('>') && little in DTYPES) return `array.astype("${little}")`;
  if (type[1] === 'c')
    return 'array.real.astype("float32"), or numpy.abs(array) where the phase is of no use';
  return type[1] === 'f' ? 'array.astype("float32")' : 'write its values as numbers of such a type';
}
