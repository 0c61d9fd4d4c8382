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
export function readTensor({ shape, dtype }: TensorType, { memory, offset }: Region): HostArray {
  const size = sizeOf(shape);
  if (dtype === 'int32') return new Int32Array(memory, offset, size).slice();
  if (dtype === 'float32') return new Float32Array(memory, offset, size).slice();
  const bits = Uint32Array.from(new Uint16Array(memory, offset, size), (half) => half << 16);
  return new Float32Array(bits.buffer);
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
