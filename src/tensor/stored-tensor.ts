// Tensors as files and checkpoints hold them: a dtype, as safetensors calls it, a shape, and the numbers.

export type SafetensorsDtype =
  | 'F64'
  | 'F32'
  | 'F16'
  | 'BF16'
  | 'I64'
  | 'I32'
  | 'I16'
  | 'I8'
  | 'U64'
  | 'U32'
  | 'U16'
  | 'U8'
  | 'BOOL';

export type StorageArray =
  | Float64Array
  | Float32Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint32Array
  | Uint16Array
  | Uint8Array;

/** F16 and BF16 are held as their 16 bits, BOOL as bytes; `toFloat32` turns any of them into numbers. */
export interface StoredTensor {
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly data: StorageArray;
  /** Of a piece of a tensor: which element of the whole, in row-major order, `data` begins with. Absent where `data` is all of it. */
  readonly start?: number;
}

/** Elements of a tensor in row-major order, from `start` to `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

export type StoredTensors = ReadonlyMap<string, StoredTensor>;

/** A piece of a tensor that is whole, where it lies. */
export function pieceOf(tensor: StoredTensor, { start, end }: Range): StoredTensor {
  return { ...tensor, data: tensor.data.subarray(start, end), start };
}
