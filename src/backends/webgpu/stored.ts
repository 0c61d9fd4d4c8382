// Numbers of the host as a device stores them, and back.
import { type HostArray, isHalf } from '../../tensor/dtype.ts';
import { internalError } from '../../tensor/errors.ts';
import { fromHalfBits } from '../../tensor/half.ts';
import { sizeOf } from '../../tensor/shape.ts';
import type { TensorType } from '../../tensor/tensor.ts';

/** @returns whole words */
export function toStored(
  { dtype }: TensorType,
  values: HostArray,
): Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> {
  if (isHalf(dtype)) throw internalError(`webgpu: ${dtype} does not come from the host`);
  return dtype === 'int32' ? Int32Array.from(values) : Float32Array.from(values);
}

/** @param bytes of the value, and what fills its last word */
export function fromStored({ dtype, shape }: TensorType, bytes: ArrayBuffer): HostArray {
  const size = sizeOf(shape);
  if (dtype === 'int32') return new Int32Array(bytes, 0, size);
  if (dtype === 'float32') return new Float32Array(bytes, 0, size);
  return fromHalfBits(dtype, new Uint16Array(bytes, 0, size));
}
