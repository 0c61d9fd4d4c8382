import { dtypeError } from '../tensor/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Primitive, apply1 } from './op.ts';

type None = Record<string, never>;

/**
 * 1 where every number of all inputs is finite, else 0. A flag, not a number that has become NaN: compilers of kernels may assume
 * that there are no NaN, and fold what is made to tell them. So kernels look at the bits: an exponent of ones is infinity or NaN.
 */
export const isFiniteOp: Primitive<None> = {
  kind: 'primitive',
  name: 'isFinite',
  infer(inputs) {
    inputs.forEach(({ dtype }, i) => {
      if (dtype === 'int32') throw dtypeError('isFinite', `argument ${i}`, 'a floating type', dtype);
    });
    return [{ shape: [], dtype: 'int32' }];
  },
  evaluate(inputs, [y]) {
    y!.data[0] = inputs.every(({ data }) => data.every(Number.isFinite)) ? 1 : 0;
  },
  hides: () => [{ numbers: 'all', why: 'the flag tells them' }],
  lowPrecision: (inputs) => ({ inputs: [...inputs.keys()], outputs: [] }),
};

/** -> int32 [] @throws RectiflowError where one of them holds whole numbers */
export function isFinite(tensors: readonly Tensor[]): Tensor {
  return apply1(isFiniteOp, tensors, {});
}
