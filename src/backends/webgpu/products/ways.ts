// The ways in which a product can be shared out, and what of it their speed depends on.
import { isHalf } from '../../../tensor/dtype.ts';
import type { Dispatch, Tuning } from '../dispatch.ts';
import { type Work, rounded } from '../tuning/work.ts';
import type { Matrices } from '../matrices.ts';
import { directProduct } from './direct.ts';
import { matrixProduct, matrixTile } from './matrices.ts';
import { type Factor, type Product, type Share, type Stored, type Tile, isStored } from './product.ts';
import { type Invocation, tiledProduct } from './tiled.ts';

export interface ProductWay {
  /** Of a workgroup. */
  readonly tile: Tile;
  /** Rows and columns for which a factor's elements are read once. */
  readonly shares: Tile;
  /** Workgroups that a sum of many terms is cut for, where it may be made in parts. */
  readonly busy: number;
  make(share: Share): Dispatch;
}

/** Below so many outputs, or of so few rows or columns, there is too little for tiles of a workgroup to share. */
const tiledFrom = { outputs: 64 * 64, extent: 16 } as const;

export type Shape = Omit<ProductWay, 'busy'>;

const direct = (M: number, N: number, own: Invocation): Shape => {
  const tile = { M, N };
  return { tile, shares: own, make: (share) => directProduct(share, tile, own) };
};
const tiled = (M: number, N: number, own: Invocation): Shape => {
  const tile = { M, N };
  return { tile, shares: tile, make: (share) => tiledProduct(share, tile, own) };
};

/** By the outputs of a workgroup and of an invocation, where these are not 4 x 4 each of which reads for itself. */
export const directShapes: Readonly<Record<string, Shape>> = {
  'direct 32x16': direct(32, 16, { M: 4, N: 4 }),
  'direct 32x32': direct(32, 32, { M: 4, N: 4 }),
  'direct 64x32 by 8x8': direct(64, 32, { M: 8, N: 8 }),
};
export const tiledShapes: Readonly<Record<string, Shape>> = {
  'tiled 64x64 by 8x4': tiled(64, 64, { M: 8, N: 4 }),
  'tiled 32x32 by 4x4': tiled(32, 32, { M: 4, N: 4 }),
  'tiled 64x64 by 8x8': tiled(64, 64, { M: 8, N: 8 }),
  'tiled 128x64 by 8x8': tiled(128, 64, { M: 8, N: 8 }),
};

/** Where both factors are stored, and of numbers that the components of matrices hold. */
function matrixShapes({ a, b }: Product, matrices: Matrices): Record<string, Shape> {
  if (!isStored(a) || !isStored(b)) return {};
  const isFloat16 = [a, b].every(holdsFloat16);
  const shape =
    matrices.shapes.find(({ component }) => component === 'f16' && isFloat16) ??
    matrices.shapes.find(({ component }) => component === 'f32');
  if (shape === undefined) return {};
  const tile = matrixTile(matrices);
  const make = (share: Share): Dispatch => matrixProduct(share, matrices, shape);
  return { [`matrices ${shape.component} ${shape.M}x${shape.N}x${shape.K}`]: { tile, shares: tile, make } };
}

function holdsFloat16({ operand, made, madeAs }: Stored): boolean {
  if (made !== undefined) return madeAs === 'float16';
  return 'dtype' in operand && operand.dtype === 'float16';
}

const usualBusy = 128;
/** With 1 all terms are one part. */
export const busyWays: readonly number[] = [usualBusy, 1, 512];

/**
 * An adapter that is a program gathers what it reads number by number, each of which takes as long as some nine products: there tiles of an
 * invocation are as large as compilers bear, where they are not mostly empty.
 */
export function productWork(
  given: Product,
  { products, matrices }: Pick<Tuning, 'products' | 'matrices'>,
): Work<ProductWay> {
  const { M, N, K, batch = 1, inParts = false, a, b, outputs } = given;
  const isLarge = M * N >= tiledFrom.outputs && Math.min(M, N) >= tiledFrom.extent;
  const byMatrices = isLarge && matrices ? matrixShapes(given, matrices) : {};
  const [matrixWay] = Object.keys(byMatrices);
  const shapes = isLarge ? { ...directShapes, ...tiledShapes, ...byMatrices } : directShapes;
  const usualDirect = products === 'direct' && Math.min(M, N) > 4 ? 'direct 64x32 by 8x8' : 'direct 32x16';
  const usualShape = matrixWay ?? (products === 'tiled' && isLarge ? 'tiled 64x64 by 8x4' : usualDirect);
  const nameOf = (shape: string, busy: number): string => (inParts ? `${shape} for ${busy}` : shape);
  const ways = Object.entries(shapes).flatMap(([name, shape]) =>
    (inParts ? busyWays : [usualBusy]).map((busy): [string, ProductWay] => [
      nameOf(name, busy),
      { ...shape, busy },
    ]),
  );
  const stored = outputs.some(({ tensor }) => isHalf(tensor.dtype)) ? 'halves' : 'floats';
  const fit = [M, N, K].every((extent) => extent % 4 === 0) ? 'fours' : 'any';
  const extents = [batch, M, N, K].map(rounded).join('x');
  return {
    form: 'product',
    key: `product ${extents} ${fit} ${describe(a)} ${describe(b)} ${stored}${inParts ? ' parts' : ''}${matrixWay ? ` ${matrixWay}` : ''}`,
    ways: Object.fromEntries(ways),
    usual: nameOf(usualShape, usualBusy),
    cost: 2 * batch * M * N * K,
  };
}

function describe(factor: Factor): string {
  const { operand, contiguous } = factor;
  const dtype = 'scratch' in operand ? 'float32' : operand.dtype;
  const how = isStored(factor) ? (factor.made === undefined ? '' : '-made') : '-looked-up';
  return `${dtype}-${contiguous}${how}`;
}
