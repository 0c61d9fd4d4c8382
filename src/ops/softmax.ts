import type { Tensor } from '../tensor/tensor.ts';
import { div, exp, mul, sub } from './elementwise.ts';
import { type Fused, apply1, float32 } from './op.ts';
import { max } from './reduce.ts';
import { sum } from './sum.ts';

type None = Record<string, never>;

/** exp(x) / sum exp(x) over the last axis, with the maximum taken out first. */
export const softmaxOp: Fused<None> = {
  kind: 'fused',
  name: 'softmax',
  hides: () => [{ inputs: [0], numbers: 'infinity', why: 'the power of -infinity is 0' }],
  infer: ([x]) => [float32(x!.shape)],
  decompose([x]) {
    const powers = exp(sub(x!, max(x!, [-1], true)));
    return [div(powers, sum(powers, [-1], true))];
  },
  vjp({ outputs: [y], grads: [g] }) {
    const weighted = mul(g!, y!);
    return [sub(weighted, mul(y!, sum(weighted, [-1], true)))];
  },
};

export function softmax(x: Tensor): Tensor {
  return apply1(softmaxOp, [x], {});
}
