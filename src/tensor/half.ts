// The types of two bytes, as bits and as numbers: bfloat16, which is the upper half of a float32, and float16, IEEE 754 binary16. All
// that is rounded is rounded to the nearest, ties to even.
import type { Half, HostArray } from './dtype.ts';

const scratch = new DataView(new ArrayBuffer(8));

/** Makes numbers, where they lie, those that a half-precision type holds of them. */
export function roundToHalf(type: Half, values: HostArray): void {
  const nearest = type === 'bfloat16' ? roundToBFloat16 : roundToFloat16;
  for (let i = 0; i < values.length; i++) values[i] = nearest(values[i]!);
}

function roundToBFloat16(value: number): number {
  scratch.setUint32(0, bfloat16Bits(value) << 16);
  return scratch.getFloat32(0);
}

/** The nearest float16 of a number, as a number: subnormal below 2^-14, infinite from 65520 on. */
export function roundToFloat16(value: number): number {
  const magnitude = Math.abs(value);
  if (magnitude >= 65520) return value < 0 ? -Infinity : Infinity;
  scratch.setFloat64(0, Math.max(magnitude, 2 ** -14));
  const exponent = (scratch.getUint16(0) >>> 4) - 1023;
  // A float64 of exponent e + 42 has steps of 2^(e - 10), those of a float16 of exponent e.
  const coarse = 2 ** (exponent + 42);
  const rounded = magnitude + coarse - coarse;
  return value < 0 || Object.is(value, -0) ? -rounded : rounded;
}

/** @param bits where they are written; new memory by default */
export function toHalfBits(
  type: Half,
  values: ArrayLike<number>,
  bits: Uint16Array = new Uint16Array(values.length),
): Uint16Array {
  const bitsOf = type === 'bfloat16' ? bfloat16Bits : float16Bits;
  for (let i = 0; i < bits.length; i++) bits[i] = bitsOf(values[i]!);
  return bits;
}

/** @param values where they are written; new memory by default */
export function fromHalfBits(
  type: Half,
  bits: Uint16Array,
  values: Float32Array = new Float32Array(bits.length),
): Float32Array {
  if (type === 'float16') {
    for (let i = 0; i < bits.length; i++) values[i] = float16Number(bits[i]!);
  } else {
    const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
    for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16;
  }
  return values;
}

function bfloat16Bits(value: number): number {
  if (Number.isNaN(value)) return 0x7fc0;
  scratch.setFloat32(0, value);
  const word = scratch.getUint32(0);
  return (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
}

function float16Bits(value: number): number {
  scratch.setFloat32(0, value);
  const word = scratch.getUint32(0);
  const sign = (word >>> 16) & 0x8000;
  const magnitude = Math.abs(value);
  if (Number.isNaN(value)) return 0x7e00;
  // Half a step above the largest, 65504, rounds to infinity.
  if (magnitude >= 65520) return sign | 0x7c00;
  // Below 2^-14 the steps are 2^-24.
  if (magnitude < 2 ** -14) return sign | roundToEven(magnitude * 2 ** 24);
  // The exponent's bias changes from 127 to 15; a fraction that rounds up to 1 carries into the exponent, as it should.
  const shortened = (word & 0x7fffffff) - ((127 - 15) << 23);
  return sign | ((shortened + 0xfff + ((shortened >> 13) & 1)) >> 13);
}

/** 1 sign, 5 exponent (bias 15) and 10 fraction bits. */
function float16Number(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
}
