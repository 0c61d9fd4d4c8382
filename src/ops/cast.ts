import type { DType } from '../tensor/dtype.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Primitive, apply1 } from './op.ts';

const codes: readonly DType[] = ['float32', 'bfloat16', 'int32'];

type Cast = { to: number };

/** Changes the dtype: to bfloat16 rounds to nearest even, to int32 truncates. */
export const castOp: Primitive<Cast> = {
  kind: 'primitive',
  name: 'cast',
  infer: ([x], { to }) => [{ shape: x!.shape, dtype: codes[to]! }],
  lowPrecision: () => ({ inputs: [0], outputs: [] }),
  evaluate([x], [y]) {
    for (let i = 0; i < y!.data.length; i++) y!.data[i] = x!.data[i]!;
  },
  vjp: ({ inputs, grads }) => [inputs[0]!.dtype === 'int32' ? undefined : cast(grads[0]!, inputs[0]!.dtype)],
};

export function cast(x: Tensor, dtype: DType): Tensor {
  return x.dtype === dtype ? x : apply1(castOp, [x], { to: codes.indexOf(dtype) });
}
