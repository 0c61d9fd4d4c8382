import { add, affine, div, minimum, mul, square } from '../ops/index.ts';
import type { Tensor } from '../tensor/tensor.ts';

/**
 * How much the error of a sample counts, by its time. In the terms of diffusion, SNR = ((1 - t) / t)^2; an error e of the
 * velocity is one of t e in the data and of (1 - t) e in the noise.
 *
 * - `none`: 1.
 * - `min-snr` (Hang et al. 2023, arXiv:2303.09556): min(SNR, gamma) on the squared error in the data, which is
 *   min((1 - t)^2, gamma t^2) here. Less of what is near noise.
 * - `sigmoid` (Kingma & Gao 2023, arXiv:2303.00848): sigmoid(bias - log SNR) in the variational bound. On the error in the
 *   velocity, at uniform times, that is t (1 - t) / (t^2 + e^-bias (1 - t)^2). Less of both ends; a larger bias counts more of
 *   what is near data.
 */
export type LossWeighting =
  | { readonly kind: 'none' }
  | { readonly kind: 'min-snr'; readonly gamma: number }
  | { readonly kind: 'sigmoid'; readonly bias: number };

/**
 * The weights of samples at their times. They multiply what the distribution of times does already.
 * @param t [B]
 * @returns [B]
 */
export function lossWeights(weighting: Exclude<LossWeighting, { kind: 'none' }>, t: Tensor): Tensor {
  const data = affine(t, -1, 1);
  switch (weighting.kind) {
    case 'min-snr':
      return minimum(square(data), affine(square(t), weighting.gamma, 0));
    case 'sigmoid':
      return div(mul(t, data), add(square(t), affine(square(data), Math.exp(-weighting.bias), 0)));
  }
}
