import type { Tensor } from '../tensor/tensor.ts';
import { type Primitive, apply, checkScalar, checkShape } from './op.ts';

type None = Record<string, never>;

/**
 * `target <- target + weight * (value - target)`: a moving average takes up a value. Where the flag `counts` is 0 the target stays
 * as it is, whatever the value: a step that is skipped must change no average.
 */
export const lerpAssignOp: Primitive<None> = {
  kind: 'primitive',
  name: 'lerpAssign',
  hides: () => [{ numbers: 'all', why: 'a step that does not count changes nothing' }],
  mutates: [0],
  infer([target, value, weight, counts]) {
    checkShape('lerpAssign', 'value', "the target's shape", target!.shape, value!.shape);
    checkScalar('lerpAssign', 'weight', 'float32', weight!);
    checkScalar('lerpAssign', 'counts', 'int32', counts!);
    return [];
  },
  evaluate([target, value, weight, counts]) {
    if (counts!.data[0] === 0) return;
    const share = weight!.data[0]!;
    for (let i = 0; i < target!.data.length; i++)
      target!.data[i]! += share * (value!.data[i]! - target!.data[i]!);
  },
};

/** @param target state of the program @param value of its shape @param weight [], from 0 to 1 @param counts int32 [] */
export function lerpAssign(target: Tensor, value: Tensor, weight: Tensor, counts: Tensor): void {
  apply(lerpAssignOp, [target, value, weight, counts], {});
}
