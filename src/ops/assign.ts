import { dtypeError } from '../tensor/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Primitive, apply, checkShape } from './op.ts';

type None = Record<string, never>;

/** Writes a value into state: how new weights get where they live without passing through the host. */
export const assignOp: Primitive<None> = {
  kind: 'primitive',
  name: 'assign',
  hides: () => [{ inputs: [0], numbers: 'all', why: 'it is overwritten' }],
  mutates: [0],
  infer([target, value]) {
    checkShape('assign', 'value', "the target's shape", target!.shape, value!.shape);
    if (value!.dtype !== target!.dtype) throw dtypeError('assign', 'value', target!.dtype, value!.dtype);
    return [];
  },
  evaluate([target, value]) {
    target!.data.set(value!.data);
  },
};

/** @param target state of the program @param value of its shape and dtype */
export function assign(target: Tensor, value: Tensor): void {
  apply(assignOp, [target, value], {});
}
