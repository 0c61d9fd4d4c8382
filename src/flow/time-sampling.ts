// How the times of training are drawn. The densities are those of Esser et al. 2024 (arXiv:2403.03206, section 3.1), whose t is
// ours: 0 is data, 1 is noise.
import {
  type PhiloxKey,
  add,
  affine,
  cast,
  constant,
  cos,
  div,
  less,
  log,
  maximum,
  minimum,
  mul,
  philoxNormal,
  philoxUniform,
  sigmoid,
  sin,
  sqrt,
  square,
  sub,
} from '../ops/index.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { normalQuantile } from './normal-quantile.ts';
import { shiftTimes } from './time-shift.ts';

/** How times are drawn, as a plain object: whoever trains may bring one. */
export interface TimeSampler {
  /** Times from numbers that are uniform on (0, 1): both [B], in [0, 1]. Best growing with u, for strata of times. */
  fromUniform(u: Tensor): Tensor;
}

/**
 * - `logit-normal` (eq. 19) looks more often at the middle of the path, where the velocity is hardest to tell; a positive mean
 *   looks more often at noise.
 * - `mode` (eq. 20) does too but leaves some density at both ends; with a negative scale it looks more often at the ends. Scale
 *   0 is uniform; it reaches from -1 to 2 / (pi - 2), about 1.75.
 * - `cosmap` (eq. 21) has the noise levels of the cosine schedule (Nichol & Dhariwal 2021): density 2 / (pi - 2 pi t + 2 pi t^2).
 * - `u-shaped` (Lee, Lin & Fanti 2024, arXiv:2405.20320, section 4.1, for reflow) looks more often at both ends: density in proportion
 *   to e^(a t) + e^(a (1 - t)), which is the same from data to noise as from noise to data. The paper takes a = 4; towards a = 0 it
 *   is uniform.
 * - `steps` looks where a sampler of so many equal Euler steps does, at 1, (k - 1) / k, ..., 1 / k, each as often (Liu et al. 2022,
 *   arXiv:2209.03003, section 2.1, distillation): 1 step is t = 1 alone.
 * - `custom` is whatever a program brings.
 */
export type TimeDistribution = (
  | { readonly kind: 'uniform' }
  | { readonly kind: 'logit-normal'; readonly mean: number; readonly std: number }
  | { readonly kind: 'mode'; readonly scale: number }
  | { readonly kind: 'cosmap' }
  | { readonly kind: 'u-shaped'; readonly a: number }
  | { readonly kind: 'steps'; readonly steps: number }
  | ({ readonly kind: 'custom' } & TimeSampler)
) & {
  /**
   * The range of probability is divided into as many equal parts as a step has samples, and each has a time out of its own: the
   * loss of a step then varies less with the times it happened to get. Every single time is distributed as without.
   */
  readonly stratified?: boolean;
  /** Every time goes through `shiftTime`: above 1, for images larger than those whose times these are. 1: none. */
  readonly shift?: number;
};

/** The scales of `mode` between which its times grow with the numbers they are made of. */
export const modeScales: readonly [least: number, most: number] = [-1, 2 / (Math.PI - 2)];

/** Of `u-shaped`: below, float32 no longer tells it from uniform; above, hardly a time is drawn that is not at an end. */
export const uShapes: readonly [least: number, most: number] = [0.1, 50];
/** Of `steps`. */
export const MOST_TIMES = 1000;

/** The largest float32 below 1. */
const below1 = 1 - 2 ** -24;

/**
 * Draws a time for each sample of a batch.
 * @param step int32 []
 * @param globalBatch samples of the whole step, where these are a part of it; sample i of them has the i-th stratum
 * @returns [B], in [0, 1], float32
 */
export function sampleTimes(
  distribution: TimeDistribution,
  step: Tensor,
  batch: number,
  key: PhiloxKey,
  globalBatch: number = batch,
): Tensor {
  const { shift = 1 } = distribution;
  const t = drawTimes(distribution, step, batch, key, globalBatch);
  return shift === 1 ? t : shiftTimes(t, shift);
}

function drawTimes(
  distribution: TimeDistribution,
  step: Tensor,
  batch: number,
  key: PhiloxKey,
  globalBatch: number,
): Tensor {
  const { stratified = false } = distribution;
  const uniform = (): Tensor => {
    const u = philoxUniform(step, [batch], key);
    return stratified ? stratify(u, key.firstSample ?? 0, globalBatch) : u;
  };
  switch (distribution.kind) {
    case 'uniform':
      return uniform();
    case 'logit-normal': {
      const normal = stratified ? normalQuantile(uniform()) : philoxNormal(step, [batch], key);
      return sigmoid(affine(normal, distribution.std, distribution.mean));
    }
    case 'mode':
      return modeTimes(uniform(), distribution.scale);
    case 'u-shaped':
      return uShapedTimes(uniform(), distribution.a);
    case 'steps':
      return stepTimes(uniform(), distribution.steps);
    case 'custom':
      return distribution.fromUniform(uniform());
    case 'cosmap': {
      // 1 - 1 / (tan(a) + 1), without a tangent that runs off to infinity.
      const a = affine(uniform(), Math.PI / 2, 0);
      return div(sin(a), add(sin(a), cos(a)));
    }
  }
}

/** Eq. 20 of 1 - u, which is as uniform as u: the times grow with u. */
function modeTimes(u: Tensor, scale: number): Tensor {
  const bend = sub(u, square(sin(affine(u, Math.PI / 2, 0))));
  return add(u, affine(bend, scale, 0));
}

/** The inverse of the share of times up to t, 1/2 + sinh(a (t - 1/2)) / (2 sinh(a / 2)). */
function uShapedTimes(u: Tensor, a: number): Tensor {
  const end = Math.sinh(a / 2);
  const y = affine(u, 2 * end, -end);
  // arsinh of the size: of negative numbers the sum would cancel.
  const size = maximum(y, affine(y, -1, 0));
  const angle = log(add(size, sqrt(affine(square(size), 1, 1))));
  const zero = constant(y, [], Float64Array.of(0));
  const sign = affine(less(y, zero), -2, 1);
  const t = affine(mul(sign, angle), 1 / a, 0.5);
  return maximum(minimum(t, constant(t, [], Float64Array.of(1))), zero);
}

/** (floor(k u) + 1) / k */
function stepTimes(u: Tensor, steps: number): Tensor {
  const last = constant(u, [], Float64Array.of(steps - 1));
  const step = cast(minimum(affine(u, steps, 0), last), 'int32');
  return affine(cast(step, 'float32'), 1 / steps, 1 / steps);
}

/** (i + u) / B of the i-th sample of B: uniform in the i-th of B equal parts of (0, 1). */
function stratify(u: Tensor, first: number | Tensor, globalBatch: number): Tensor {
  const known = typeof first === 'number' ? first : 0;
  const starts = Float64Array.from({ length: u.shape[0]! }, (_, i) => (known + i) / globalBatch);
  const placed = add(affine(u, 1 / globalBatch, 0), constant(u, u.shape, starts));
  const moved =
    typeof first === 'number' ? placed : add(placed, affine(cast(first, 'float32'), 1 / globalBatch, 0));
  return minimum(moved, constant(u, [], Float64Array.of(below1)));
}
