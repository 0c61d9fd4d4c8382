/**
 * What a program's values are made of. `float32` is the working type; the reference backend can hold it in float64. `bfloat16` and
 * `float16` are storage types that only the mixed-precision pass (and `cast`) introduces. Their order is that of `dtypeCode`.
 */
const dtypes = ['float32', 'bfloat16', 'int32', 'float16'] as const;
export type DType = (typeof dtypes)[number];

/** Two bytes for a number: which of the two it is, is the backend's choice. */
export type Half = 'bfloat16' | 'float16';

/** What the host reads and writes: halves never leave a backend. */
export type HostArray = Float32Array | Float64Array | Int32Array;

const sizes: Readonly<Record<DType, number>> = { float32: 4, bfloat16: 2, int32: 4, float16: 2 };

export function bytesPerElement(dtype: DType): number {
  return sizes[dtype];
}

export function isHalf(dtype: DType): dtype is Half {
  return dtype === 'bfloat16' || dtype === 'float16';
}

export function isFloat(dtype: DType): dtype is Half | 'float32' {
  return dtype !== 'int32';
}

/** A dtype as a number, as the attributes of ops are. */
export function dtypeCode(dtype: DType): number {
  return dtypes.indexOf(dtype);
}

/** The dtype of a `dtypeCode`. */
export function dtypeOf(code: number): DType {
  return dtypes[code]!;
}
