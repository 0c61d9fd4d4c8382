// Places in tensors as expressions of WGSL, with the extents as sizes of the dispatch.
import { type Shape, broadcastStrides, sizeOf, stridesOf } from '../../../tensor/shape.ts';

/** Collects the sizes that expressions name. */
export class Sizes {
  readonly values: Record<string, number> = {};

  /** @returns the expression of a whole number: the same one for the same value under a name */
  of(name: string, value: number): string {
    this.values[name] = value;
    return `u.${name}`;
  }
}

/**
 * For each axis of `shape`, the index of element `i` along it, times that axis' stride, summed.
 * @param i an expression, row-major in shape
 * @param prefix tells the sizes of one expression from those of others
 */
export function stridedIndex(
  sizes: Sizes,
  prefix: string,
  { shape, strides }: { readonly shape: Shape; readonly strides: readonly number[] },
  i: string,
): string {
  const dense = stridesOf(shape);
  if (shape.every((extent, axis) => extent === 1 || strides[axis] === dense[axis])) return i;
  const terms = shape.flatMap((extent, axis) => {
    if (extent === 1 || strides[axis] === 0) return [];
    const below = dense[axis] === 1 ? i : `(${i}) / ${sizes.of(`${prefix}_below${axis}`, dense[axis]!)}`;
    const isOutermost = sizeOf(shape.slice(0, axis)) === 1;
    const index = isOutermost ? below : `(${below}) % ${sizes.of(`${prefix}_extent${axis}`, extent)}`;
    return [
      strides[axis] === 1 ? index : `(${index}) * ${sizes.of(`${prefix}_stride${axis}`, strides[axis]!)}`,
    ];
  });
  return terms.length === 0 ? '0u' : terms.join(' + ');
}

/** The place in a tensor of `shape`, stretched to `target`, of target's element `i`. */
export function broadcastIndex(sizes: Sizes, prefix: string, shape: Shape, target: Shape, i: string): string {
  return stridedIndex(sizes, prefix, { shape: target, strides: broadcastStrides(shape, target) }, i);
}
