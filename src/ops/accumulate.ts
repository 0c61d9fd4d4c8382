import { dtypeError } from '../tensor/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Primitive, apply, checkShape } from './op.ts';

type None = Record<string, never>;

/** Sums up in state what several runs make, such as the gradients of micro-batches: restart ? value : total + value. */
export const accumulateOp: Primitive<None> = {
  kind: 'primitive',
  name: 'accumulate',
  hides: () => [
    { inputs: [0], numbers: 'all', why: 'a restart forgets the total' },
    { inputs: [2], numbers: 'all', why: 'it tells whether to restart' },
  ],
  mutates: [0],
  infer([total, value, restart]) {
    checkShape('accumulate', 'value', "the total's shape", total!.shape, value!.shape);
    checkShape('accumulate', 'restart', 'a scalar', [], restart!.shape);
    for (const [name, { dtype }] of Object.entries({ total: total!, value: value! }))
      if (dtype !== 'float32') throw dtypeError('accumulate', name, 'float32', dtype);
    return [];
  },
  evaluate([total, value, restart]) {
    // Not a product: what a total held before a restart may be infinite.
    if (restart!.data[0] !== 0) total!.data.set(value!.data);
    else for (let i = 0; i < total!.data.length; i++) total!.data[i]! += value!.data[i]!;
  },
};

/** @param total state of the program @param value of its shape @param restart [], other than 0 where a new total begins */
export function accumulate(total: Tensor, value: Tensor, restart: Tensor): void {
  apply(accumulateOp, [total, value, restart], {});
}
