import type { Tensor } from '../tensor/tensor.ts';
import { type Primitive, apply, checkShape } from './op.ts';

type None = Record<string, never>;

/**
 * `target <- target + weight * (value - target)`: a moving average takes up a value. A weight of 0 or NaN leaves the target as
 * it is, whatever the value: a step that is skipped must change no average.
 */
export const lerpAssignOp: Primitive<None> = {
  kind: 'primitive',
  name: 'lerpAssign',
  mutates: [0],
  infer([target, value, weight]) {
    checkShape('lerpAssign', 'value', "the target's shape", target!.shape, value!.shape);
    checkShape('lerpAssign', 'weight', 'a scalar', [], weight!.shape);
    return [];
  },
  evaluate([target, value, weight]) {
    const share = weight!.data[0]!;
    if (share === 0 || Number.isNaN(share)) return;
    for (let i = 0; i < target!.data.length; i++)
      target!.data[i]! += share * (value!.data[i]! - target!.data[i]!);
  },
};

/** @param target state of the program @param value of its shape @param weight [], from 0 to 1, or NaN */
export function lerpAssign(target: Tensor, value: Tensor, weight: Tensor): void {
  apply(lerpAssignOp, [target, value, weight], {});
}
