import { readRegular } from '../host/regular-file.ts';
import { fileError, systemProblem } from '../tensor/errors.ts';

// The IDX format of MNIST: two zero bytes, a type, the number of dimensions, each dimension as a big-endian uint32, then
// the values, row-major and big-endian.
const TYPES = {
  0x08: { bytes: 1, array: Uint8Array, get: 'getUint8' },
  0x09: { bytes: 1, array: Int8Array, get: 'getInt8' },
  0x0b: { bytes: 2, array: Int16Array, get: 'getInt16' },
  0x0c: { bytes: 4, array: Int32Array, get: 'getInt32' },
  0x0d: { bytes: 4, array: Float32Array, get: 'getFloat32' },
  0x0e: { bytes: 8, array: Float64Array, get: 'getFloat64' },
} as const;

export type IdxData = Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;

export interface IdxArray {
  readonly shape: readonly number[];
  readonly data: IdxData;
}

const ADVICE = 'Fetch the file again';

/**
 * Reads an IDX file.
 * @throws RectiflowError when it is missing, truncated, too long, or something else
 */
export async function readIdx(path: string): Promise<IdxArray> {
  const bytes = await readRegular(path).catch((error: unknown) => {
    throw fileError(path, systemProblem(error), 'Check the path', error);
  });
  return parseIdx(bytes, path);
}

/**
 * Reads an IDX file that is in memory; bytes are not copied.
 * @param origin how errors call it
 */
export function parseIdx(bytes: Uint8Array, origin: string): IdxArray {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    throw fileError(origin, 'is compressed with gzip', 'Unpack it first (gunzip)');
  }
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0) {
    const found = Buffer.from(bytes.subarray(0, 4)).toString('hex') || 'nothing';
    throw fileError(origin, `is no IDX file: it must start with 0000, found ${found}`, ADVICE);
  }
  const type = TYPES[bytes[2] as keyof typeof TYPES];
  if (type === undefined) throw fileError(origin, `has the unknown IDX type ${bytes[2]}`, ADVICE);
  const rank = bytes[3]!;
  const start = 4 + 4 * rank;
  if (bytes.length < start) {
    const problem = `is truncated: a header of ${rank} dimensions has ${start} bytes, the file ${bytes.length}`;
    throw fileError(origin, problem, ADVICE);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const shape = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const length = shape.reduce((product, size) => product * size, 1);
  if (bytes.length !== start + length * type.bytes) {
    const state = bytes.length < start + length * type.bytes ? 'is truncated' : 'is too long';
    const problem = `${state}: shape [${shape.join(', ')}] needs ${start + length * type.bytes} bytes, found ${bytes.length}`;
    throw fileError(origin, problem, ADVICE);
  }
  if (type.array === Uint8Array) return { shape, data: bytes.subarray(start) };
  const data = new type.array(length);
  for (let i = 0; i < length; i++) data[i] = view[type.get](start + i * type.bytes);
  return { shape, data };
}
