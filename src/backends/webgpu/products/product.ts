// What a matrix product is, y[batch, M, N] = a[batch, M, K] b[batch, K, N], and what all ways to make it share.
import { isHalf } from '../../../tensor/dtype.ts';
import type { Tensor } from '../../../tensor/tensor.ts';
import type { Argument, Dispatch, Operand, Width } from '../dispatch.ts';

export interface Factor {
  readonly operand: Operand;
  /** The axis along which elements are neighbours: that of the sum, or the other one (rows of a, columns of b). */
  readonly contiguous: 'k' | 'other';
  /** Elements from a neighbour on the other axis to the next. */
  readonly stride: number;
  /** Elements from one product of a batch to the next; 0 by default. */
  readonly batchStride?: number;
  /** What takes the place of an element on the way in: an expression of its `value`, its `k`, its `other` and its `batch`. */
  readonly made?: string;
}

export interface ProductOutput {
  readonly name: string;
  readonly tensor: Tensor;
  /** An expression of the product's `v`, its `row`, `col` and `batch`, and `at`, its place in an output. */
  readonly value: string;
}

export interface Product extends Pick<Dispatch, 'numbers'> {
  readonly M: number;
  readonly N: number;
  readonly K: number;
  readonly batch?: number;
  readonly a: Factor;
  readonly b: Factor;
  /** What else expressions read. */
  readonly reads?: readonly Argument[];
  readonly outputs: readonly ProductOutput[];
  /** Beside M, N and K. */
  readonly sizes?: Readonly<Record<string, number>>;
}

export function hasHalves({ outputs }: Pick<Product, 'outputs'>): boolean {
  return outputs.some(({ tensor }) => isHalf(tensor.dtype));
}

/** What all kinds of products bind, and the functions that their code calls. */
export function productParts(
  given: Product,
  widths: { readonly factor: Width; readonly output: Width },
): Pick<Dispatch, 'arguments' | 'sizes' | 'numbers'> & { readonly functions: string } {
  const { M, N, K, batch = 1, a, b, reads = [], outputs, sizes = {}, numbers = {} } = given;
  const signature = '(v: f32, row: u32, col: u32, batch: u32) -> f32';
  const made = (name: string, { made: expression = 'value' }: Factor): string =>
    `fn made_${name}(value: f32, k: u32, other: u32, batch: u32) -> f32 { return ${expression}; }`;
  return {
    arguments: [
      { name: 'a', operand: a.operand, width: widths.factor },
      { name: 'b', operand: b.operand, width: widths.factor },
      ...reads,
      ...outputs.map(({ name, tensor }): Argument => {
        const width = widths.output === 1 && isHalf(tensor.dtype) ? 2 : widths.output;
        return { name, operand: tensor, isWritten: true, width };
      }),
    ],
    sizes: {
      M,
      N,
      K,
      batches: batch,
      aStride: a.stride,
      bStride: b.stride,
      aBatch: a.batchStride ?? 0,
      bBatch: b.batchStride ?? 0,
      ...sizes,
    },
    numbers,
    functions: [
      made('a', a),
      made('b', b),
      ...outputs.map(
        ({ name, value }) =>
          `fn ${name}_value${signature} { let at = (batch * u.M + row) * u.N + col; return ${value}; }`,
      ),
    ].join('\n'),
  };
}

/** The place of an element of a factor. @param scale what strides are divided by, where whole vectors are counted */
export function factorIndex(name: 'a' | 'b', { contiguous }: Factor, k: string, other: string): string {
  const [near, far] = contiguous === 'k' ? [k, other] : [other, k];
  return `batch * u.${name}Batch + (${far}) * u.${name}Stride + ${near}`;
}

/** Terms that are summed by themselves before they are added to the others: rounding errors grow with the longest chain. */
export const termsOfSum = 256;
