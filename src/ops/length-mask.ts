import { dtypeError, valueError } from '../tensor/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Primitive, apply1, float32 } from './op.ts';

type LengthMask = { size: number };

/** Tells the elements of sequences of several lengths from the padding after them. */
export const lengthMaskOp: Primitive<LengthMask> = {
  kind: 'primitive',
  name: 'lengthMask',
  infer([lengths], { size }) {
    if (lengths!.dtype !== 'int32') throw dtypeError('lengthMask', 'lengths', 'int32', lengths!.dtype);
    if (!Number.isInteger(size) || size < 1)
      throw valueError('lengthMask', 'size', 'a positive integer', size);
    return [float32([...lengths!.shape, size])];
  },
  evaluate([lengths], [y], { size }) {
    lengths!.data.forEach((length, i) => {
      for (let j = 0; j < size; j++) y!.data[i * size + j] = j < length ? 1 : 0;
    });
  },
  vjp: () => [],
};

/** int32 lengths [...] -> [..., size]: 1 at the first `length` places, 0 after them. */
export function lengthMask(lengths: Tensor, size: number): Tensor {
  return apply1(lengthMaskOp, [lengths], { size });
}
