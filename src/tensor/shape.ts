import { RectiflowError, formatShape } from './errors.ts';

/** Extents of a dense row-major tensor; `[]` is a scalar. */
export type Shape = readonly number[];

/** The number of elements. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, extent) => product * extent, 1);
}

/** Row-major strides in elements: [12, 4, 1] for [2, 3, 4]. */
export function stridesOf(shape: Shape): number[] {
  const strides = Array.from(shape, () => 1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
}

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((extent, axis) => extent === b[axis]);
}

/** NumPy's rule: shapes are aligned at their last axis; an extent of 1 stretches to the other. */
export function broadcastShapes(op: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, axis) => {
    const m = a[axis - rank + a.length] ?? 1;
    const n = b[axis - rank + b.length] ?? 1;
    if (m === n || n === 1) return m;
    if (m === 1) return n;
    throw new RectiflowError(
      'shape',
      `${op}: shapes ${formatShape(a)} and ${formatShape(b)} do not broadcast: ` +
        `axis ${axis} has extents ${m} and ${n}, which must be equal or 1`,
    );
  });
}

/** Strides that walk a tensor of `shape` as if it had `target`'s shape: 0 along the stretched axes. */
export function broadcastStrides(shape: Shape, target: Shape): number[] {
  const strides = stridesOf(shape);
  const missing = target.length - shape.length;
  return target.map((_, axis) =>
    axis < missing || shape[axis - missing] === 1 ? 0 : strides[axis - missing]!,
  );
}

/**
 * Walks through a row-major tensor of `shape` and beside it through another whose axes lie `strides` apart.
 * @param visit told of element i = 0, 1, ... and of its place in the other
 */
export function walkStrided(
  shape: Shape,
  strides: readonly number[],
  visit: (i: number, offset: number) => void,
): void {
  const index = shape.map(() => 0);
  const size = sizeOf(shape);
  let offset = 0;
  for (let i = 0; i < size; i++) {
    visit(i, offset);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      offset += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      index[axis] = 0;
      offset -= strides[axis]! * shape[axis]!;
    }
  }
}

/** Turns a negative axis into one counted from the front; throws for an axis that is not there. */
export function normalizeAxis(op: string, axis: number, rank: number): number {
  const resolved = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || resolved < 0 || resolved >= rank) {
    throw new RectiflowError(
      'shape',
      `${op}: axis must be an integer in [${-rank}, ${rank - 1}], got ${axis}`,
    );
  }
  return resolved;
}
