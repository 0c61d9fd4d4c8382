// Reductions that are not their own gradient's inverse.
import { sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { affine, less, mul } from './elementwise.ts';
import { type Primitive, apply1, float32 } from './op.ts';
import { type Reduce, forEachReduced, keepAxes, reducedShape, resolveAxes, sum } from './sum.ts';

/** The gradient of a maximum that several elements share goes to each of them. */
export const maxOp: Primitive<Reduce> = {
  kind: 'primitive',
  name: 'max',
  hides: () => [{ inputs: [0], numbers: 'infinity', why: '-infinity is never the maximum' }],
  infer: ([x], attributes) => [float32(reducedShape(x!, attributes))],
  evaluate([x], [y], { axes }) {
    y!.data.fill(-Infinity);
    forEachReduced(x!, axes, (from, to) => {
      y!.data[to] = Math.max(y!.data[to]!, x!.data[from]!);
    });
  },
  vjp({ inputs, outputs, attributes, grads }) {
    const x = inputs[0]!;
    const isMaximum = affine(less(x, keepAxes(outputs[0]!, x, attributes.axes)), -1, 1);
    return [mul(isMaximum, keepAxes(grads[0]!, x, attributes.axes))];
  },
};

export function max(x: Tensor, axes?: readonly number[], keepDims = false): Tensor {
  return apply1(maxOp, [x], { axes: resolveAxes('max', x, axes), keepDims: Number(keepDims) });
}

export function mean(x: Tensor, axes?: readonly number[], keepDims = false): Tensor {
  const total = sum(x, axes, keepDims);
  return affine(total, sizeOf(total.shape) / sizeOf(x.shape), 0);
}
