import type { HostArray } from '../../tensor/dtype.ts';
import { sizeOf } from '../../tensor/shape.ts';
import { fromHalfBits, toHalfBits } from '../../tensor/half.ts';
import type { TensorType } from '../../tensor/tensor.ts';

/** A place in native memory. */
export interface Region {
  readonly memory: ArrayBuffer;
  /** In bytes. */
  readonly offset: number;
}

/** A copy of a tensor's numbers; halves are widened to float32. */
export function readTensor(type: TensorType, region: Region): HostArray {
  const size = sizeOf(type.shape);
  const values = type.dtype === 'int32' ? new Int32Array(size) : new Float32Array(size);
  copyTensor(type, region, values);
  return values;
}

/** Like `readTensor`, into memory that is there. */
export function copyTensor({ shape, dtype }: TensorType, region: Region, target: HostArray): void {
  const { memory, offset } = region;
  const size = sizeOf(shape);
  if (dtype === 'int32') target.set(new Int32Array(memory, offset, size));
  else if (dtype === 'float32') target.set(new Float32Array(memory, offset, size));
  else {
    const floats = target instanceof Float32Array ? target : new Float32Array(size);
    fromHalfBits(dtype, new Uint16Array(memory, offset, size), floats);
    if (floats !== target) target.set(floats);
  }
}

/** Writes a tensor's numbers, rounded to its dtype (halves: to nearest, ties to even). */
export function writeTensor({ shape, dtype }: TensorType, region: Region, values: ArrayLike<number>): void {
  const { memory, offset } = region;
  const size = sizeOf(shape);
  if (dtype === 'int32') new Int32Array(memory, offset, size).set(values);
  else if (dtype === 'float32') new Float32Array(memory, offset, size).set(values);
  else toHalfBits(dtype, values, new Uint16Array(memory, offset, size));
}
