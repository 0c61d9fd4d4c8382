// What makes latents of pictures and pictures of latents. A diffusion model that learns latents sees them shifted and scaled; all else
// here, files too, is in the autoencoder's own numbers.
//
//   B  pictures in the batch           f  factor: pixels of a latent pixel's side
//   C  channels of a picture           z  channels of a latent
//   H  height, W  width of a picture
import type { Module } from '../../nn/module.ts';
import type { Parameters } from '../../nn/parameters.ts';
import { add, affine, exp, mul, square, sub, sum } from '../../ops/index.ts';
import { formatShape, valueError } from '../../tensor/errors.ts';
import type { LatentScale } from '../../tensor/latent-scale.ts';
import type { Shape } from '../../tensor/shape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { Part } from './parts.ts';

/** What an encoder says of pictures: a normal distribution of each latent, or, of one that is certain, the latent alone. */
export interface Posterior {
  /** [B, z, H / f, W / f] */
  readonly mean: Tensor;
  /** [B, z, H / f, W / f] in [-30, 20]; undefined where the latent is the mean. */
  readonly logVariance?: Tensor | undefined;
}

/** Floating-point operations of one picture, a multiplication and an addition counted as two. */
export interface AutoencoderCost {
  readonly encode: number;
  readonly decode: number;
}

export interface Autoencoder extends Module {
  readonly imageChannels: number;
  readonly latentChannels: number;
  /** Pixels of a latent pixel's side. */
  readonly factor: number;
  readonly scaling: LatentScale;
  /**
   * What `encode` and `decode` are made of, for whoever takes large pictures through them piece by piece: what the last part of the
   * encoder makes becomes the posterior.
   */
  readonly parts: { readonly encode: readonly Part[]; readonly decode: readonly Part[] };
  /** Of one picture of this shape, [C, H, W]. */
  cost(imageShape: Shape): AutoencoderCost;
  /**
   * @param params the weights, by name; only those of the encoder are asked for
   * @param images [B, C, H, W] in [-1, 1]
   */
  encode(params: Parameters, images: Tensor): Posterior;
  /** Of what the last part of the encoder makes. */
  posterior(encoded: Tensor): Posterior;
  /**
   * @param params the weights, by name; only those of the decoder are asked for
   * @param latents [B, z, h, w], not scaled
   * @returns [B, C, f h, f w], about [-1, 1] and not clamped
   */
  decode(params: Parameters, latents: Tensor): Tensor;
  /**
   * @param imageShape [C, H, W]
   * @throws RectiflowError that names the sizes nearest to it that fit
   */
  checkShape(imageShape: Shape): void;
}

/** Where encoders' log-variances end, as diffusers and LDM clamp them. */
export const logVarianceRange: readonly [least: number, most: number] = [-30, 20];

/** mean + exp(logVariance / 2) * noise; the mean alone of a posterior that is certain. @param noise N(0, 1), of the mean's shape */
export function drawLatents({ mean, logVariance }: Posterior, noise: Tensor): Tensor {
  if (logVariance === undefined) return mean;
  return add(mean, mul(exp(affine(logVariance, 0.5, 0)), noise));
}

/** KL(posterior || N(0, 1)) of each picture, [B]: a half of the sum of mean^2 + variance - 1 - logVariance (Kingma & Welling 2014, appendix B). */
export function posteriorDivergence({ mean, logVariance }: { mean: Tensor; logVariance: Tensor }): Tensor {
  const terms = add(square(mean), sub(affine(exp(logVariance), 1, -1), logVariance));
  return affine(sum(terms, [1, 2, 3]), 0.5, 0);
}

/** Refuses pictures of other channels, or of sides that `factor` does not divide. */
export function checkImageShape(
  { imageChannels, factor }: Pick<Autoencoder, 'imageChannels' | 'factor'>,
  imageShape: Shape,
): void {
  const [channels, height, width, ...more] = imageShape;
  if (channels !== imageChannels || height === undefined || width === undefined || more.length > 0) {
    const wanted = `[${imageChannels}, height, width]`;
    throw valueError('autoencoder', 'shape of a picture', wanted, formatShape(imageShape));
  }
  if (height % factor === 0 && width % factor === 0 && height > 0 && width > 0) return;
  const nearest = [-1, 1].map((side) =>
    [height, width].map((pixels) => nearestMultiple(pixels, factor, side)).join('x'),
  );
  const wanted = `multiples of ${factor} on both sides; nearest are ${[...new Set(nearest)].join(' and ')}`;
  throw valueError('autoencoder', 'size of a picture', wanted, `${height}x${width}`);
}

/** @param side -1 for what is not above, 1 for what is not below */
function nearestMultiple(pixels: number, factor: number, side: number): number {
  const count = side < 0 ? Math.floor(pixels / factor) : Math.ceil(pixels / factor);
  return Math.max(1, count) * factor;
}
