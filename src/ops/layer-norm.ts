// Norms with learned parameters. Their gradients are those of their decompositions.
import type { Tensor } from '../tensor/tensor.ts';
import { add, affine, div, mul, sqrt, square, sub } from './elementwise.ts';
import { type Fused, apply1, checkShape, float32 } from './op.ts';
import { mean } from './reduce.ts';

type Norm = { epsilon: number };

/** (x - mean) / sqrt(variance + epsilon) w + b over the last axis (Ba et al. 2016). */
export const layerNormOp: Fused<Norm> = {
  kind: 'fused',
  name: 'layerNorm',
  infer([x, w, b]) {
    checkShape('layerNorm', 'w', '[D]', x!.shape.slice(-1), w!.shape);
    checkShape('layerNorm', 'b', '[D]', x!.shape.slice(-1), b!.shape);
    return [float32(x!.shape)];
  },
  decompose([x, w, b], { epsilon }) {
    const centered = sub(x!, mean(x!, [-1], true));
    const deviation = sqrt(affine(mean(square(centered), [-1], true), 1, epsilon));
    return [add(mul(div(centered, deviation), w!), b!)];
  },
};

/** x / sqrt(mean x^2 + epsilon) w over the last axis (Zhang & Sennrich 2019). */
export const rmsNormOp: Fused<Norm> = {
  kind: 'fused',
  name: 'rmsNorm',
  infer([x, w]) {
    checkShape('rmsNorm', 'w', '[D]', x!.shape.slice(-1), w!.shape);
    return [float32(x!.shape)];
  },
  decompose([x, w], { epsilon }) {
    const size = sqrt(affine(mean(square(x!), [-1], true), 1, epsilon));
    return [mul(div(x!, size), w!)];
  },
};

/** @param x [..., D] @param w [D] @param b [D] */
export function layerNorm(x: Tensor, w: Tensor, b: Tensor, epsilon = 1e-6): Tensor {
  return apply1(layerNormOp, [x, w, b], { epsilon });
}

/** @param x [..., D] @param w [D] */
export function rmsNorm(x: Tensor, w: Tensor, epsilon = 1e-6): Tensor {
  return apply1(rmsNormOp, [x, w], { epsilon });
}
