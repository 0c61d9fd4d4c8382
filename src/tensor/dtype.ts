/**
 * What a program's values are made of. `float32` is the working type; the reference backend can hold it in float64.
 * `bfloat16` is a storage type that only the mixed-precision pass (and `cast`) introduces.
 */
export type DType = 'float32' | 'bfloat16' | 'int32';

/** What the host reads and writes: `bfloat16` never leaves a backend. */
export type HostArray = Float32Array | Float64Array | Int32Array;

const sizes: Readonly<Record<DType, number>> = { float32: 4, bfloat16: 2, int32: 4 };

export function bytesPerElement(dtype: DType): number {
  return sizes[dtype];
}

const scratch = new DataView(new ArrayBuffer(8));

/** The nearest bfloat16 (ties to even) of a number, as a number. */
export function roundToBFloat16(value: number): number {
  scratch.setFloat32(0, value);
  const bits = scratch.getUint32(0);
  if (Number.isNaN(value)) return NaN;
  scratch.setUint32(0, ((bits + 0x7fff + ((bits >>> 16) & 1)) & 0xffff0000) >>> 0);
  return scratch.getFloat32(0);
}

/** The nearest float16 (ties to even) of a number, as a number: subnormal below 2^-14, infinite from 65520 on. */
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
