import { type PhiloxKey, affine, philoxNormal, philoxUniform, sigmoid } from '../ops/index.ts';
import type { Tensor } from '../tensor/tensor.ts';

/**
 * How the times of training are distributed. `logit-normal` (Esser et al. 2024, arXiv:2403.03206, eq. 19) looks more often at
 * the middle of the path, where the velocity is hardest to tell; a positive mean looks more often at noise, t = 1.
 */
export type TimeDistribution =
  | { readonly kind: 'uniform' }
  | { readonly kind: 'logit-normal'; readonly mean: number; readonly std: number };

/**
 * Draws a time for each sample of a batch.
 * @param step int32 []
 * @returns [B], in (0, 1), float32
 */
export function sampleTimes(
  distribution: TimeDistribution,
  step: Tensor,
  batch: number,
  key: PhiloxKey,
): Tensor {
  switch (distribution.kind) {
    case 'uniform':
      return philoxUniform(step, [batch], key);
    case 'logit-normal':
      return sigmoid(affine(philoxNormal(step, [batch], key), distribution.std, distribution.mean));
  }
}
