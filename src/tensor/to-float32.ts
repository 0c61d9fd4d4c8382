import { fromHalfBits } from './half.ts';
import type { StoredTensor } from './stored-tensor.ts';

/** A tensor's values as float32: the array itself where it is F32 already, else rounded to nearest. */
export function toFloat32(tensor: StoredTensor): Float32Array {
  const { dtype, data } = tensor;
  if (data instanceof Float32Array) return data;
  if (dtype === 'BF16') return fromHalfBits('bfloat16', data as Uint16Array);
  if (dtype === 'F16') return fromHalfBits('float16', data as Uint16Array);
  if (data instanceof BigInt64Array || data instanceof BigUint64Array) {
    const values = new Float32Array(data.length);
    for (let i = 0; i < data.length; i++) values[i] = Number(data[i]);
    return values;
  }
  return new Float32Array(data);
}
