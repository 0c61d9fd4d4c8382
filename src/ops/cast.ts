import { type DType, dtypeCode, dtypeOf, isFloat } from '../tensor/dtype.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Primitive, apply1 } from './op.ts';

type Cast = { to: number };

/** Changes the dtype: to a half rounds to nearest even, to int32 truncates. */
export const castOp: Primitive<Cast> = {
  kind: 'primitive',
  name: 'cast',
  infer: ([x], { to }) => [{ shape: x!.shape, dtype: dtypeOf(to) }],
  lowPrecision: () => ({ inputs: [0], outputs: [] }),
  hides: ({ to }) =>
    isFloat(dtypeOf(to)) ? [] : [{ inputs: [0], numbers: 'all', why: 'whole numbers hold neither' }],
  evaluate([x], [y]) {
    for (let i = 0; i < y!.data.length; i++) y!.data[i] = x!.data[i]!;
  },
  vjp: ({ inputs, grads }) => [isFloat(inputs[0]!.dtype) ? cast(grads[0]!, inputs[0]!.dtype) : undefined],
};

export function cast(x: Tensor, dtype: DType): Tensor {
  return x.dtype === dtype ? x : apply1(castOp, [x], { to: dtypeCode(dtype) });
}
