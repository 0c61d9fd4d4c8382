import type { Tensor } from '../tensor/tensor.ts';
import { div, mul } from './elementwise.ts';
import { type Primitive, apply1, float32 } from './op.ts';

type None = Record<string, never>;

/** The Euclidean norm of all inputs together, accumulated in float64. */
export const globalNormOp: Primitive<None> = {
  kind: 'primitive',
  name: 'globalNorm',
  infer: () => [float32([])],
  evaluate(inputs, [y]) {
    let total = 0;
    for (const { data } of inputs) for (const x of data) total += x * x;
    y!.data[0] = Math.sqrt(total);
  },
  vjp({ inputs, outputs, grads }) {
    const scale = div(grads[0]!, outputs[0]!);
    return inputs.map((x) => mul(x, scale));
  },
};

/** -> [] */
export function globalNorm(tensors: readonly Tensor[]): Tensor {
  return apply1(globalNormOp, tensors, {});
}
