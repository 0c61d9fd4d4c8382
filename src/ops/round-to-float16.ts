import { roundToFloat16 as nearest } from '../tensor/half.ts';
import { dtypeError } from '../tensor/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Primitive, apply1, float32 } from './op.ts';

type None = Record<string, never>;

/** The nearest float16 of each number, in float32. Its gradient is passed straight through. */
export const roundToFloat16Op: Primitive<None> = {
  kind: 'primitive',
  name: 'roundToFloat16',
  infer([x]) {
    if (x!.dtype !== 'float32') throw dtypeError('roundToFloat16', 'x', 'float32', x!.dtype);
    return [float32(x!.shape)];
  },
  evaluate([x], [y]) {
    for (let i = 0; i < y!.data.length; i++) y!.data[i] = nearest(x!.data[i]!);
  },
  vjp: ({ grads }) => grads,
};

/** The nearest IEEE 754 binary16 (ties to even) of each number of x, float32: how storage in float16 is emulated. */
export function roundToFloat16(x: Tensor): Tensor {
  return apply1(roundToFloat16Op, [x], {});
}
