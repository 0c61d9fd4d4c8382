import { shapeError } from '../tensor/errors.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Primitive, float32 } from './op.ts';

type Constant = { shape: Shape };

/** Numbers known when the program is traced. Backends upload them once, when they compile it. */
export const constantOp: Primitive<Constant> = {
  kind: 'primitive',
  name: 'constant',
  infer: (_, { shape }) => [float32(shape)],
  // A backend fills in the node's values when it compiles the program; there is nothing left to do when it runs.
  evaluate() {},
  vjp: () => [],
};

/** @param like any tensor of the trace that the constant is to belong to */
export function constant(like: Tensor, shape: Shape, values: Float64Array): Tensor {
  if (values.length !== sizeOf(shape))
    throw shapeError('constant', 'shape', `of ${values.length} elements`, shape);
  return like.graph.append(constantOp, [], { shape }, undefined, values)[0]!;
}
