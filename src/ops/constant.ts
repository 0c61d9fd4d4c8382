import { type DType, dtypeCode, dtypeOf } from '../tensor/dtype.ts';
import { shapeError } from '../tensor/errors.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { Constant } from './op.ts';

type Known = { shape: Shape; dtype: number };

export const constantOp: Constant<Known> = {
  kind: 'constant',
  name: 'constant',
  infer: (_, { shape, dtype }) => [{ shape, dtype: dtypeOf(dtype) }],
  vjp: () => [],
};

/**
 * Numbers known when the program is traced.
 * @param like any tensor of the trace that the constant is to belong to
 */
export function constant(
  like: Tensor,
  shape: Shape,
  values: Float64Array,
  dtype: Extract<DType, 'float32' | 'int32'> = 'float32',
): Tensor {
  if (values.length !== sizeOf(shape))
    throw shapeError('constant', 'shape', `of ${values.length} elements`, shape);
  return like.graph.append(constantOp, [], { shape, dtype: dtypeCode(dtype) }, undefined, values)[0]!;
}
