import { sizeOf } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { affine, mul, neg, square, sub } from './elementwise.ts';
import { type Fused, apply1, checkShape, float32 } from './op.ts';
import { mean } from './reduce.ts';

type None = Record<string, never>;

export const meanSquaredErrorOp: Fused<None> = {
  kind: 'fused',
  name: 'meanSquaredError',
  infer([a, b]) {
    checkShape('meanSquaredError', 'b', 'the shape of a', a!.shape, b!.shape);
    return [float32([])];
  },
  decompose: ([a, b]) => [mean(square(sub(a!, b!)))],
  vjp({ inputs: [a, b], grads: [g] }) {
    const da = mul(affine(sub(a!, b!), 2 / sizeOf(a!.shape), 0), g!);
    return [da, neg(da)];
  },
};

/** mean (a - b)^2 over all elements -> [] */
export function meanSquaredError(a: Tensor, b: Tensor): Tensor {
  return apply1(meanSquaredErrorOp, [a, b], {});
}
