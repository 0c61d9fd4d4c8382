// Rectified flow (Liu, Gong & Liu 2022, arXiv:2209.03003). This file states the conventions; all others follow them.
//
//   x0           data                          t = 0 is data
//   x1 ~ N(0, I) noise                         t = 1 is noise
//   x_t = (1 - t) x0 + t x1                    the straight line from data to noise
//   v(x_t, t) ~ x1 - x0                        the model predicts the line's velocity
//   loss = mean |v(x_t, t) - (x1 - x0)|^2      over all elements, in float32
//   x <- x - dt v(x, t), from t = 1 to t = 0   sampling goes down, from noise to data
//
// t is broadcast over all axes of x but the batch: images are [B, C, H, W], gene expression is [B, G].
import { add, affine, mul, reshape, sub } from '../ops/index.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type LossWeighting, lossWeights } from './loss-weighting.ts';
import type { Objective } from './objective.ts';

/** x_t = (1 - t) x0 + t x1, for x0 and x1 [B, ...] and t [B]. */
export function interpolate(x0: Tensor, x1: Tensor, t: Tensor): Tensor {
  const time = reshape(t, [t.shape[0]!, ...x0.shape.slice(1).map(() => 1)]); // -> [B, 1, ...]
  return add(mul(affine(time, -1, 1), x0), mul(time, x1));
}

/** x1 - x0 */
export function velocityTarget(x0: Tensor, x1: Tensor): Tensor {
  return sub(x1, x0);
}

/**
 * The objective (Liu et al. 2022, eq. 1). Its samplers are those of flows.
 * @param weighting by time; none by default
 */
export function rectifiedFlow(weighting: LossWeighting = { kind: 'none' }): Objective {
  return {
    name: 'rectified-flow',
    mix: interpolate,
    target: velocityTarget,
    ...(weighting.kind !== 'none' && { weights: (t) => lossWeights(weighting, t) }),
  };
}
