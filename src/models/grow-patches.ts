// What the parameters of patches become where patches of another side are to hold the same pictures, larger or smaller: a model
// that was trained on small pictures goes on with larger ones.
//
// The kernel that reads patches is resized so that the patch of a resized picture makes the same token as before: by the
// pseudo-inverse of the transpose of a bilinear resize (FlexiViT, Beyer et al. 2023, arXiv:2212.08013, section 3.4), or bilinearly,
// divided so that a flat patch does. What the last layer says of a patch is resized as a picture is.
//
// What an optimizer keeps of gradients follows from that. With weights W = M w of old ones w, a gradient G of W is one M'G of w: of
// the gradients that fit the old one, the smallest is taken, by the pseudo-inverse A of M'. Where the kernel is resized by the
// pseudo-inverse, A is the bilinear resize itself: a gradient of the kernel is made of patches, and becomes larger as they do. What
// stands for the size of gradients, a mean of their squares v, becomes (|A| sqrt(v))^2, the greatest that it can be (Cauchy and
// Schwarz): no step becomes larger by that, and its ratio to the mean of the gradients stays below 1.
import {
  type Matrix,
  bilinearMatrix,
  magnitudes,
  pseudoInverseOfTranspose,
  resizeAxes,
  scaled,
} from '../nn/resize-axes.ts';
import type { Shape } from '../tensor/shape.ts';
import type { ImageTransformerConfig } from './dit-config.ts';

/** How kernels that read patches are resized. */
export type KernelResize = 'pseudo-inverse' | 'bilinear';

/** What a tensor of a parameter's shape holds: weights or an average of them, a mean of gradients, or of their squares. */
export type Content = 'weights' | 'gradients' | 'squares';

/** How a parameter becomes that of patches of another side. */
export interface ParameterResize {
  /** Then. */
  readonly shape: Shape;
  /** @param values of the parameter's shape now. Computed in float64 */
  resize(values: ArrayLike<number>, content: Content): Float32Array;
}

type Patches = Pick<ImageTransformerConfig, 'width' | 'channels' | 'patchSize'>;

/**
 * The parameters that are resized where a model's patches become `patchSize` pixels wide, by their names; all others stay as they
 * are.
 */
export function patchResizes(
  { width: D, channels: C, patchSize: from }: Patches,
  patchSize: number,
  kernels: KernelResize,
): ReadonlyMap<string, ParameterResize> {
  if (from === patchSize) return new Map();
  const picture = bilinearMatrix(from, patchSize);
  const kernel =
    kernels === 'pseudo-inverse' ? pseudoInverseOfTranspose(picture) : scaled(picture, from / patchSize);
  const p = patchSize;
  return new Map([
    ['x_embedder.proj.weight', parameterResize([D, C, p, p], kernel, 1)],
    // Rows lie in the order (row, column, channel).
    ['final_layer.linear.weight', parameterResize([p * p * C, D], picture, C * D)],
    ['final_layer.linear.bias', parameterResize([p * p * C], picture, C)],
  ]);
}

function parameterResize(shape: Shape, matrix: Matrix, inner: number): ParameterResize {
  const gradient = pseudoInverseOfTranspose(matrix);
  const spread = magnitudes(gradient);
  return {
    shape,
    resize(values, content) {
      if (content === 'weights') return Float32Array.from(resizeAxes(values, matrix, inner));
      if (content === 'gradients') return Float32Array.from(resizeAxes(values, gradient, inner));
      const sizes = resizeAxes(Float64Array.from(values, Math.sqrt), spread, inner);
      return Float32Array.from(sizes, (size) => size * size);
    },
  };
}
