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
  minimum,
  philoxNormal,
  philoxUniform,
  sigmoid,
  sin,
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
 * - `custom` is whatever a program brings.
 */
export type TimeDistribution = (
  | { readonly kind: 'uniform' }
  | { readonly kind: 'logit-normal'; readonly mean: number; readonly std: number }
  | { readonly kind: 'mode'; readonly scale: number }
  | { readonly kind: 'cosmap' }
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

/** (i + u) / B of the i-th sample of B: uniform in the i-th of B equal parts of (0, 1). */
function stratify(u: Tensor, first: number | Tensor, globalBatch: number): Tensor {
  const known = typeof first === 'number' ? first : 0;
  const starts = Float64Array.from({ length: u.shape[0]! }, (_, i) => (known + i) / globalBatch);
  const placed = add(affine(u, 1 / globalBatch, 0), constant(u, u.shape, starts));
  const moved =
    typeof first === 'number' ? placed : add(placed, affine(cast(first, 'float32'), 1 / globalBatch, 0));
  return minimum(moved, constant(u, [], Float64Array.of(below1)));
}
