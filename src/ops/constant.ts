import { shapeError } from '../tensor/errors.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Constant, float32 } from './op.ts';

type Known = { shape: Shape };

export const constantOp: Constant<Known> = {
  kind: 'constant',
  name: 'constant',
  infer: (_, { shape }) => [float32(shape)],
  vjp: () => [],
};

/**
 * Numbers known when the program is traced.
 * @param like any tensor of the trace that the constant is to belong to
 */
export function constant(like: Tensor, shape: Shape, values: Float64Array): Tensor {
  if (values.length !== sizeOf(shape))
    throw shapeError('constant', 'shape', `of ${values.length} elements`, shape);
  return like.graph.append(constantOp, [], { shape }, undefined, values)[0]!;
}
