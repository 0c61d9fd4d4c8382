import { valueError } from '../tensor/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type View, apply1 } from './op.ts';
import { reshape } from './reshape.ts';
import { pad } from './slice.ts';

type Elements = { start: number; count: number };

/** Elements that follow one another in row-major order, whatever the axes. */
export const elementsOp: View<Elements> = {
  kind: 'view',
  name: 'elements',
  infer([x], { start, count }) {
    const held = sizeOf(x!.shape);
    const isWithin = Number.isInteger(start) && Number.isInteger(count) && start >= 0 && count > 0;
    if (!isWithin || start + count > held)
      throw valueError('elements', 'start and count', `within ${held} elements`, `${start} and ${count}`);
    return [{ shape: [count], dtype: x!.dtype }];
  },
  start: (_, { start }) => start,
  hides: () => [{ inputs: [0], numbers: 'all', why: 'what is outside of the part is not read' }],
  vjp({ inputs, attributes: { start, count }, grads }) {
    const { shape } = inputs[0]!;
    return [reshape(pad(grads[0]!, 0, start, sizeOf(shape) - start - count), shape)];
  },
};

/** The elements of x from `start` on, row-major -> [count]. */
export function elements(x: Tensor, start: number, count: number): Tensor {
  return apply1(elementsOp, [x], { start, count });
}
