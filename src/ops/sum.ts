// Sums over axes and stretching along axes: each is the other's gradient.
import { shapeError } from '../tensor/errors.ts';
import {
  type Shape,
  broadcastShapes,
  broadcastStrides,
  normalizeAxis,
  sameShape,
  walkStrided,
} from '../tensor/shape.ts';
import type { Tensor, TensorType } from '../tensor/tensor.ts';
import { type Dense, type Primitive, apply1, float32 } from './op.ts';
import { reshape } from './reshape.ts';

export type Reduce = { axes: readonly number[]; keepDims: number };

export function reducedShape(x: TensorType, { axes, keepDims }: Reduce): number[] {
  return x.shape.flatMap((extent, axis) => (axes.includes(axis) ? (keepDims ? [1] : []) : [extent]));
}

/** Calls visit(index in x, index in y) for every element of x. */
export function forEachReduced(
  x: Dense,
  axes: readonly number[],
  visit: (from: number, to: number) => void,
): void {
  const kept = x.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent));
  walkStrided(x.shape, broadcastStrides(kept, x.shape), visit);
}

export const sumOp: Primitive<Reduce> = {
  kind: 'primitive',
  name: 'sum',
  infer: ([x], attributes) => [float32(reducedShape(x!, attributes))],
  evaluate([x], [y], { axes }) {
    const total = new Float64Array(y!.data.length);
    forEachReduced(x!, axes, (from, to) => {
      total[to]! += x!.data[from]!;
    });
    y!.data.set(total);
  },
  vjp: ({ inputs, attributes, grads }) => [
    broadcastTo(keepAxes(grads[0]!, inputs[0]!, attributes.axes), inputs[0]!.shape),
  ],
};

/** y with the reduced `axes` of x back in place, as extents of 1. */
export function keepAxes(y: Tensor, x: Tensor, axes: readonly number[]): Tensor {
  return reshape(
    y,
    x.shape.map((extent, axis) => (axes.includes(axis) ? 1 : extent)),
  );
}

export function resolveAxes(op: string, x: Tensor, axes: readonly number[] | undefined): number[] {
  return axes === undefined
    ? x.shape.map((_, axis) => axis)
    : axes.map((axis) => normalizeAxis(op, axis, x.shape.length));
}

/** Sum over `axes` (all of them by default), accumulated in float64 by the reference. */
export function sum(x: Tensor, axes?: readonly number[], keepDims = false): Tensor {
  return apply1(sumOp, [x], { axes: resolveAxes('sum', x, axes), keepDims: Number(keepDims) });
}

type BroadcastTo = { shape: Shape };

/** Stretches axes of extent 1, and adds leading ones, until x has `shape`. */
export const broadcastToOp: Primitive<BroadcastTo> = {
  kind: 'primitive',
  name: 'broadcastTo',
  infer([x], { shape }) {
    if (!sameShape(broadcastShapes('broadcastTo', x!.shape, shape), shape)) {
      throw shapeError('broadcastTo', 'shape', `one that [${x!.shape.join(', ')}] stretches to`, shape);
    }
    return [{ shape, dtype: x!.dtype }];
  },
  evaluate([x], [y]) {
    walkStrided(y!.shape, broadcastStrides(x!.shape, y!.shape), (i, from) => {
      y!.data[i] = x!.data[from]!;
    });
  },
  vjp({ inputs, attributes: { shape }, grads }) {
    const x = inputs[0]!;
    const missing = shape.length - x.shape.length;
    const axes = shape.flatMap((extent, i) =>
      i < missing || (x.shape[i - missing] === 1 && extent > 1) ? [i] : [],
    );
    return [reshape(sum(grads[0]!, axes, true), x.shape)];
  },
};

export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  return sameShape(x.shape, shape) ? x : apply1(broadcastToOp, [x], { shape: [...shape] });
}
