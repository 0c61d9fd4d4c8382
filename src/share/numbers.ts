// Weights in few bytes: as they are, in float16, or in 8 bits with a scale for each row.
import { fromHalfBits, toHalfBits } from '../tensor/half.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';

/** int8: for each row of a matrix whole numbers from -127 to 127, times a float32 of its own. */
export const numberFormats = ['float32', 'float16', 'int8'] as const;
export type NumberFormat = (typeof numberFormats)[number];

/** Below so many numbers a row's scale costs about what its bytes save. */
const shortestRow = 16;

/**
 * The format that a tensor has where its model is stored in `format`: vectors, as biases and the weights of norms are, stay float32.
 * They are few, and every number of a layer depends on them.
 */
export function formatOf(shape: Shape, format: NumberFormat): NumberFormat {
  if (shape.length < 2) return 'float32';
  return format === 'int8' && rowLength(shape) < shortestRow ? 'float16' : format;
}

/** Bytes of a stored tensor. */
export function storedBytes(shape: Shape, format: NumberFormat): number {
  const size = sizeOf(shape);
  if (format === 'int8') return 4 * rowsOf(shape) + size;
  return format === 'float16' ? 2 * size : 4 * size;
}

/** @param values of the shape, finite, row-major @returns little-endian, of int8 the scales of all rows before the numbers */
export function encode(values: Float32Array, shape: Shape, format: NumberFormat): Uint8Array {
  const bytes = new Uint8Array(storedBytes(shape, format));
  const view = new DataView(bytes.buffer);
  if (format === 'float32') values.forEach((value, i) => view.setFloat32(4 * i, value, true));
  if (format === 'float16')
    toHalfBits('float16', values).forEach((bits, i) => view.setUint16(2 * i, bits, true));
  if (format === 'int8') encodeRows(values, shape, view);
  return bytes;
}

/** The numbers that `encode` stored, rounded as the format rounds. */
export function decode(bytes: Uint8Array, shape: Shape, format: NumberFormat): Float32Array {
  const values = new Float32Array(sizeOf(shape));
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (format === 'float32') for (let i = 0; i < values.length; i++) values[i] = view.getFloat32(4 * i, true);
  if (format === 'float16') {
    const bits = Uint16Array.from(values, (_, i) => view.getUint16(2 * i, true));
    fromHalfBits('float16', bits, values);
  }
  if (format === 'int8') decodeRows(values, shape, view);
  return values;
}

const largest = 127;

function encodeRows(values: Float32Array, shape: Shape, view: DataView): void {
  const [rows, length] = [rowsOf(shape), rowLength(shape)];
  for (let row = 0; row < rows; row++) {
    const own = values.subarray(row * length, (row + 1) * length);
    const most = own.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    const scale = Math.fround(most / largest);
    view.setFloat32(4 * row, scale, true);
    own.forEach((value, i) => {
      const steps = scale === 0 ? 0 : Math.round(value / scale);
      view.setInt8(4 * rows + row * length + i, Math.max(-largest, Math.min(largest, steps)));
    });
  }
}

function decodeRows(values: Float32Array, shape: Shape, view: DataView): void {
  const [rows, length] = [rowsOf(shape), rowLength(shape)];
  for (let i = 0; i < values.length; i++) {
    const scale = view.getFloat32(4 * Math.floor(i / length), true);
    values[i] = scale * view.getInt8(4 * rows + i);
  }
}

function rowsOf(shape: Shape): number {
  return shape[0]!;
}

function rowLength(shape: Shape): number {
  return sizeOf(shape.slice(1));
}
