// Which elements of every parameter a rank updates, and keeps moments and averages of (ZeRO, stage 1: Rajbhandari et al. 2020).
//
// The elements of a parameter are cut into slices, as many whoever owns them: what is worked out slice by slice, such as the norm of a
// gradient, has the same bits for any number of ranks.
import { elements } from '../../ops/index.ts';
import { type Shape, sizeOf } from '../../tensor/shape.ts';
import type { Range } from '../../tensor/stored-tensor.ts';
import type { Tensor } from '../../tensor/tensor.ts';

export type { Range } from '../../tensor/stored-tensor.ts';

export interface Ownership {
  /** Into how many slices parameters are cut. */
  readonly slices: number;
  /** Those that are owned: so many, from the first one on. */
  readonly first: number;
  readonly count: number;
}

/** Whoever trains alone owns all of it. */
export function ownsAll(slices = 1): Ownership {
  return { slices, first: 0, count: slices };
}

export function isWhole({ slices, count }: Ownership): boolean {
  return slices === count;
}

/** Slices begin at multiples of so many elements: of a cache line, which no two ranks or threads should write to. */
const alignment = 16;

/** Where a slice of so many elements begins; for the slice after the last, where they end. */
export function startOfSlice(size: number, slice: number, slices: number): number {
  if (slice === slices) return size;
  return Math.min(size, Math.floor((slice * size) / slices / alignment) * alignment);
}

/** The elements of a parameter that are owned; may be none. */
export function ownedRange(shape: Shape, { slices, first, count }: Ownership): Range {
  const size = sizeOf(shape);
  return { start: startOfSlice(size, first, slices), end: startOfSlice(size, first + count, slices) };
}

/** The owned slices, one by one. */
export function slicesOf(own: Ownership): Ownership[] {
  return Array.from({ length: own.count }, (_, i) => ({ ...own, first: own.first + i, count: 1 }));
}

/** What a rank keeps of a parameter's moments and averages: all of their shape, or a row of numbers; undefined where that is nothing. */
export function ownedShape(shape: Shape, own: Ownership): Shape | undefined {
  if (isWhole(own)) return shape;
  const { start, end } = ownedRange(shape, own);
  return end > start ? [end - start] : undefined;
}

/** The owned elements of a parameter, or of what has its shape, where they lie, in their `ownedShape`; undefined where there are none. */
export function ownedPart(x: Tensor, own: Ownership): Tensor | undefined {
  if (isWhole(own)) return x;
  const { start, end } = ownedRange(x.shape, own);
  return end > start ? elements(x, start, end - start) : undefined;
}

/**
 * The elements of some owned slices in what is kept of a parameter, as `ownedPart` finds them in the parameter.
 * @param kept of the parameter's `ownedShape` @param shape of the parameter @param of the owned slices
 */
export function keptPart(kept: Tensor, shape: Shape, own: Ownership, of: Ownership): Tensor | undefined {
  if (isWhole(of)) return kept;
  const { start, end } = ownedRange(shape, of);
  return end > start ? elements(kept, start - ownedRange(shape, own).start, end - start) : undefined;
}

/** Where the ranges of ranks begin that own as many slices each, and where the last one ends. */
export function cutsOf(shape: Shape, { slices, count }: Ownership): number[] {
  const size = sizeOf(shape);
  return Array.from({ length: slices / count + 1 }, (_, rank) => startOfSlice(size, rank * count, slices));
}
