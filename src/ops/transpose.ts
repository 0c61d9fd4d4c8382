import { valueError } from '../tensor/errors.ts';
import { stridesOf, walkStrided } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Primitive, apply1 } from './op.ts';

type Transpose = { permutation: readonly number[] };

/** Axis i of the result is axis permutation[i] of x. */
export const transposeOp: Primitive<Transpose> = {
  kind: 'primitive',
  name: 'transpose',
  infer([x], { permutation }) {
    const axes = [...permutation].toSorted((a, b) => a - b);
    if (axes.length !== x!.shape.length || axes.some((axis, i) => axis !== i)) {
      throw valueError(
        'transpose',
        'permutation',
        `an order of the ${x!.shape.length} axes`,
        `[${permutation}]`,
      );
    }
    return [{ shape: permutation.map((axis) => x!.shape[axis]!), dtype: x!.dtype }];
  },
  lowPrecision: () => 'same',
  evaluate([x], [y], { permutation }) {
    const from = stridesOf(x!.shape);
    const strides = permutation.map((axis) => from[axis]!);
    walkStrided(y!.shape, strides, (i, at) => {
      y!.data[i] = x!.data[at]!;
    });
  },
  vjp({ attributes: { permutation }, grads }) {
    const inverse = permutation.map((_, axis) => permutation.indexOf(axis));
    return [transpose(grads[0]!, inverse)];
  },
};

export function transpose(x: Tensor, permutation: readonly number[]): Tensor {
  return apply1(transposeOp, [x], { permutation });
}
