// Weights as the bytes of files that a page reads.
import { sizeOf } from '../tensor/shape.ts';
import type { StoredTensors } from '../tensor/stored-tensor.ts';
import { toFloat32 } from '../tensor/to-float32.ts';
import type { SharedTensor } from './manifest.ts';
import { type NumberFormat, decode, encode, formatOf } from './numbers.ts';

export interface PackedTensors {
  readonly bytes: Uint8Array;
  readonly tensors: readonly SharedTensor[];
}

/** Stores tensors in a format, in the order in which they come. */
export function packTensors(weights: StoredTensors, format: NumberFormat): PackedTensors {
  let start = 0;
  const packed = Array.from(weights, ([name, tensor]) => {
    const { shape } = tensor;
    const own = formatOf(shape, format);
    const bytes = encode(toFloat32(tensor), shape, own);
    const place = { name, shape, format: own, start };
    start += bytes.length;
    return { bytes, place };
  });
  const bytes = new Uint8Array(start);
  for (const each of packed) bytes.set(each.bytes, each.place.start);
  return { bytes, tensors: packed.map(({ place }) => place) };
}

/** What a page reads of tensors that are stored in a format. */
export function roundTensors(weights: StoredTensors, format: NumberFormat): StoredTensors {
  return new Map(
    Array.from(weights, ([name, tensor]) => {
      const { shape } = tensor;
      const own = formatOf(shape, format);
      const data = decode(encode(toFloat32(tensor), shape, own), shape, own);
      return [name, { dtype: 'F32', shape, data }];
    }),
  );
}

/** How many numbers tensors hold. */
export function countNumbers(weights: StoredTensors): number {
  return [...weights.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
}
