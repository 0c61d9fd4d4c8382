// Matrix products: of any extents element by element, and in tiles where extents allow.
import type { Dispatch, Tuning } from '../dispatch.ts';
import { directProduct } from './direct.ts';
import { type Product, hasHalves } from './product.ts';
import { scalarProduct } from './scalar.ts';
import { tiledProduct } from './tiled.ts';

export type { Factor, Product, ProductOutput } from './product.ts';

/** Below so many outputs there is too little for tiles of a workgroup to share. */
const tiledFrom = 64 * 64;

export function product(given: Product, { products }: Tuning): Dispatch {
  const { M, N } = given;
  const isVector = N % 4 === 0;
  if (products === 'tiled' && M * N >= tiledFrom && (isVector || !hasHalves(given)))
    return tiledProduct(given);
  return isDirect(given) ? directProduct(given) : scalarProduct(given);
}

/** Whether whole vectors can be read along each axis. Rows that a is not contiguous in may be any number. */
function isDirect({ M, N, K, a, b }: Product): boolean {
  const extents = [N, a.stride, b.stride, a.batchStride ?? 0, b.batchStride ?? 0, K];
  return extents.every((extent) => extent % 4 === 0) && (a.contiguous === 'k' || M % 4 === 0);
}
