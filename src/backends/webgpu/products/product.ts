// What a matrix product is, y[batch, M, N] = a[batch, M, K] b[batch, K, N], and what all ways to make it share.
import { type DType, isHalf } from '../../../tensor/dtype.ts';
import type { Tensor } from '../../../tensor/tensor.ts';
import type { Argument, Dispatch, Operand, Width } from '../dispatch.ts';

/** A factor, whose elements are read from an operand. */
export type Factor = Stored | LookedUp;

interface Read {
  readonly operand: Operand;
  /** The axis along which elements are neighbours: that of the sum, or the other one (rows of a, columns of b). */
  readonly contiguous: 'k' | 'other';
}

/** A factor that lies in memory as a matrix. */
export interface Stored extends Read {
  /** Elements from a neighbour on the other axis to the next. */
  readonly stride: number;
  /** Elements from one product of a batch to the next; 0 by default. */
  readonly batchStride?: number;
  /** What takes the place of an element on the way in: an expression of its `value`, its `k`, its `other` and its `batch`. */
  readonly made?: string;
  /** The type whose numbers alone it makes. */
  readonly madeAs?: DType;
}

/**
 * A factor that lies in memory as something else. What its place depends on is worked out once for each `k` and each `other`, which
 * many elements share.
 */
export interface LookedUp extends Read {
  /** The body of a function of `k` and `batch` that returns a vec3i. */
  readonly ofK: string;
  /** The same of `other` and `batch`. */
  readonly ofOther: string;
  /** The body of a function that returns an element, of these two as `k` and `other`. It reads the operand as `a(i)` or `b(i)`. */
  readonly element: string;
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
  /** float32 [M], of a product that is no batch: takes the sum of each row of a, which is read for the product anyway. */
  readonly rowSums?: Tensor | undefined;
  /** Whether the sums may be made in parts, where there are few of many terms. Their order then depends on M, N and batch, too. */
  readonly inParts?: boolean;
}

/** A result of one dispatch: an output, or memory in which it waits for what makes it one. */
export interface Target extends Omit<ProductOutput, 'tensor'> {
  readonly operand: Operand;
}

/** What one dispatch makes: of each product of the batch so many parts, one after the other, of `perPart` terms. */
export interface Share extends Omit<Product, 'outputs' | 'rowSums'> {
  readonly targets: readonly Target[];
  /** Where the sums of a's rows go, [parts, M]. */
  readonly rowSums?: Operand | undefined;
  readonly parts: number;
  readonly perPart: number;
}

/** Rows and columns of a result that are made together. */
export interface Tile {
  readonly M: number;
  readonly N: number;
}

export const isStored = (factor: Factor): factor is Stored => 'stride' in factor;

export function isHalfTarget({ operand }: Target): boolean {
  return 'dtype' in operand && isHalf(operand.dtype);
}

/** What all kinds of products bind, and the functions that their code calls. */
export function productParts(
  given: Share,
  widths: { readonly a: Width; readonly b: Width; readonly output: 1 | 4 },
): Pick<Dispatch, 'arguments' | 'sizes' | 'numbers'> & { readonly functions: string } {
  const { M, N, K, batch = 1, perPart, a, b, reads = [], targets, rowSums, sizes = {}, numbers = {} } = given;
  return {
    arguments: [
      { name: 'a', operand: a.operand, width: widths.a },
      { name: 'b', operand: b.operand, width: widths.b },
      ...reads,
      ...targets.map((target): Argument => {
        const width = widths.output === 1 && isHalfTarget(target) ? 2 : widths.output;
        return { name: target.name, operand: target.operand, isWritten: true, width };
      }),
      ...(rowSums ? [{ name: 'rowSums', operand: rowSums, isWritten: true }] : []),
    ],
    sizes: { M, N, K, batches: batch, perPart, ...stridesOf('a', a), ...stridesOf('b', b), ...sizes },
    numbers,
    functions: [functionsOf('a', a), functionsOf('b', b), ...targets.map(valueFunction)].join('\n'),
  };
}

/** What a result is, of the product. */
export function valueFunction({ name, value }: Pick<Target, 'name' | 'value'>): string {
  return `fn ${name}_value(v: f32, row: u32, col: u32, batch: u32) -> f32 { let at = (batch * u.M + row) * u.N + col; return ${value}; }`;
}

type Name = 'a' | 'b';

export function stridesOf(name: Name, factor: Factor): Record<string, number> {
  if (!isStored(factor)) return {};
  return { [`${name}Stride`]: factor.stride, [`${name}Batch`]: factor.batchStride ?? 0 };
}

export function functionsOf(name: Name, factor: Factor): string {
  if (isStored(factor)) {
    const { made = 'value' } = factor;
    return `fn made_${name}(value: f32, k: u32, other: u32, batch: u32) -> f32 { return ${made}; }`;
  }
  return `fn ${name}_ofK(k: u32, batch: u32) -> vec3i { ${factor.ofK} }
fn ${name}_ofOther(other: u32, batch: u32) -> vec3i { ${factor.ofOther} }
fn ${name}_element(k: vec3i, other: vec3i) -> f32 { ${factor.element} }`;
}

/** The place of an element of a factor that is stored as a matrix. */
export function placeOf(name: Name, { contiguous }: Stored, k: string, other: string): string {
  const [near, far] = contiguous === 'k' ? [k, other] : [other, k];
  return `batch * u.${name}Batch + (${far}) * u.${name}Stride + ${near}`;
}

/** What is to be known of an index before elements are asked for: an expression, of an expression of the index. */
export function partOf(name: Name, factor: Factor, axis: 'k' | 'other', index: string): string {
  if (isStored(factor)) return index;
  return `${name}_${axis === 'k' ? 'ofK' : 'ofOther'}(${index}, batch)`;
}

/** An element by itself. @param k, other names of what `partOf` gave */
export function elementOf(name: Name, factor: Factor, k: string, other: string): string {
  if (!isStored(factor)) return `${name}_element(${k}, ${other})`;
  return `made_${name}(${name}(${placeOf(name, factor, k, other)}), ${k}, ${other}, batch)`;
}

/** Terms that are summed by themselves before they are added to the others: rounding errors grow with the longest chain. */
export const termsOfSum = 256;
