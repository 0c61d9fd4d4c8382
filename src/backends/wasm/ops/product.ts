import { sizeOf } from '../../../tensor/shape.ts';
import type { TensorType } from '../../../tensor/tensor.ts';

/** Scratch memory of a product: what kernels/product.ts packs its operands into, and a tile. */
export const productBytes: number = 4 * (256 * 256 + 256 * 64 + 32);

/** All axes but the last as one. */
export function rowsOf({ shape }: TensorType): number {
  return sizeOf(shape.slice(0, -1));
}
