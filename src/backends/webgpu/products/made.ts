// Factors that are made of what is stored: each tile makes its own elements again, so that where tiles are small it pays to make all of
// them once, in memory of their own.
import type { Dispatch, Scratch } from '../dispatch.ts';
import { eachItem } from '../items.ts';
import {
  type Factor,
  type Product,
  type Tile,
  elementOf,
  functionsOf,
  isStored,
  stridesOf,
} from './product.ts';

/** So often an element would be made, from where on it is made once. */
const often = 4;
/** Memory for a factor, in elements. */
const mostElements = 2 ** 24;

/** @param tile rows and columns that share what is read @returns the dispatches that come first, and the product that reads what they made */
export function madeOnce(
  given: Product,
  tile: Tile,
): { readonly first: readonly Dispatch[]; readonly product: Product } {
  const a = made('a', given, given.N / tile.N);
  const b = made('b', given, given.M / tile.M);
  return {
    first: [a, b].flatMap((each) => (each ? [each.dispatch] : [])),
    product: { ...given, ...(a && { a: a.factor }), ...(b && { b: b.factor }) },
  };
}

function made(
  name: 'a' | 'b',
  given: Product,
  times: number,
): { readonly dispatch: Dispatch; readonly factor: Factor } | undefined {
  const { M, N, K, batch = 1, reads = [], sizes = {}, numbers = {} } = given;
  const factor = given[name];
  const other = name === 'a' ? M : N;
  // What is the same for all products of a batch is made for one.
  const batches = isStored(factor) && factor.batchStride !== undefined && factor.batchStride > 0 ? batch : 1;
  const elements = batches * K * other;
  if (!isStored(factor) || factor.made === undefined || times <= often || elements > mostElements)
    return undefined;
  const { contiguous } = factor;
  const stride = contiguous === 'k' ? K : other;
  const far = contiguous === 'k' ? other : K;
  const operand: Scratch = { scratch: `made ${name}`, elements };
  const [k, o] = contiguous === 'k' ? ['near', 'far'] : ['far', 'near'];
  const dispatch = eachItem({
    arguments: [{ name, operand: factor.operand }, ...reads, { name: 'made', operand, isWritten: true }],
    count: elements,
    functions: functionsOf(name, factor),
    body: `let near = i % u.near; let far = i / u.near % u.far; let batch = i / u.near / u.far;
  set_made(i, ${elementOf(name, factor, k!, o!)});`,
    sizes: { M, N, K, near: stride, far, ...stridesOf(name, factor), ...sizes },
    numbers,
  });
  return { dispatch, factor: { operand, contiguous, stride, batchStride: batches > 1 ? K * other : 0 } };
}
