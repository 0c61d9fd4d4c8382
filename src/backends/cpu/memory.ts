import type { HostArray } from '../../tensor/dtype.ts';
import { sizeOf } from '../../tensor/shape.ts';
import type { TensorType } from '../../tensor/tensor.ts';

/** A place in native memory. */
export interface Region {
  readonly memory: ArrayBuffer;
  /** In bytes. */
  readonly offset: number;
}

/** A copy of a tensor's numbers; bfloat16 is widened to float32. */
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
    const halves = new Uint16Array(memory, offset, size);
    const floats = target instanceof Float32Array ? target : new Float32Array(size);
    const words = new Uint32Array(floats.buffer, floats.byteOffset, size);
    for (let i = 0; i < size; i++) words[i] = halves[i]! << 16;
    if (floats !== target) target.set(floats);
  }
}

/** Writes a tensor's numbers, rounded to its dtype (bfloat16: to nearest, ties to even). */
export function writeTensor({ shape, dtype }: TensorType, region: Region, values: ArrayLike<number>): void {
  const { memory, offset } = region;
  const size = sizeOf(shape);
  if (dtype === 'int32') new Int32Array(memory, offset, size).set(values);
  else if (dtype === 'float32') new Float32Array(memory, offset, size).set(values);
  else {
    const floats = Float32Array.from(values);
    const bits = new Uint32Array(floats.buffer);
    const halves = new Uint16Array(memory, offset, size);
    for (let i = 0; i < size; i++) {
      const word = bits[i]!;
      halves[i] = Number.isNaN(floats[i]) ? 0x7fc0 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
    }
  }
}
