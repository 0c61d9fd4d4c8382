import { shapeError } from '../tensor/errors.ts';
import { type Shape, sameShape, sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type View, apply1 } from './op.ts';

type Reshape = { shape: Shape };

/** The same elements under another shape. */
export const reshapeOp: View<Reshape> = {
  kind: 'view',
  name: 'reshape',
  infer([x], { shape }) {
    if (sizeOf(shape) !== sizeOf(x!.shape)) {
      throw shapeError(
        'reshape',
        'shape',
        `of ${sizeOf(x!.shape)} elements, as ${JSON.stringify(x!.shape)} has`,
        shape,
      );
    }
    return [{ shape, dtype: x!.dtype }];
  },
  vjp: ({ inputs, grads }) => [reshape(grads[0]!, inputs[0]!.shape)],
};

export function reshape(x: Tensor, shape: Shape): Tensor {
  return sameShape(x.shape, shape) ? x : apply1(reshapeOp, [x], { shape: [...shape] });
}
