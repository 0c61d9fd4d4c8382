// What a model may be told of how an image came to its size (micro-conditioning of SDXL, Podell et al. 2023, arXiv:2307.01952,
// section 2.2): how large it was, where it was cropped, how large it is.
//
//   B  images in the batch        D  width
import { linearLayer, linearParameters, embeddingDeviation, timeFrequencies } from '../nn/layers.ts';
import { normal } from '../nn/initializers.ts';
import type { ParameterSpec, Parameters } from '../nn/parameters.ts';
import { add, reshape, timestepEmbedding } from '../ops/index.ts';
import { valueError } from '../tensor/errors.ts';
import type { Shape } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { ConditionSpec, Conditions } from './model.ts';

/** Original height and width, top and left of the crop, height and width that it has. */
const numbers = 6;
const name = 'size_embedder';

/** What an image is that was never larger than it is, and of which nothing was cropped. */
function whole(sampleShape: Shape): readonly number[] {
  const [, height, width] = sampleShape as readonly [number, number, number];
  return [height, width, 0, 0, height, width];
}

/** `size`, [6] float32 in pixels, where the model is told it. It is told also where guidance tells nothing else. */
export function sizeCondition(isTold: boolean | undefined, sampleShape: Shape): ConditionSpec[] {
  if (!isTold) return [];
  return [{ name: 'size', shape: [numbers], dtype: 'float32', absent: whole(sampleShape), always: whole }];
}

export function sizeParameters(isTold: boolean | undefined, D: number): ParameterSpec[] {
  if (!isTold) return [];
  const init = normal(embeddingDeviation);
  return [
    ...linearParameters(`${name}.mlp.0`, D, numbers * timeFrequencies, init),
    ...linearParameters(`${name}.mlp.2`, D, D, init),
  ];
}

/**
 * Adds what the sizes are to the conditioning: each number as sines and cosines, all of them through two linear layers with SiLU
 * between. c [B, D] -> [B, D]
 */
export function addSizes(
  params: Parameters,
  c: Tensor,
  isTold: boolean | undefined,
  { size }: Conditions,
): Tensor {
  if (!isTold) return c;
  if (size === undefined) throw valueError('DiT', 'size', 'given: the model is told sizes and crops', size);
  const B = size.shape[0]!;
  const waves = timestepEmbedding(reshape(size, [B * numbers]), timeFrequencies, 1); // -> [6B, 256]
  const together = reshape(waves, [B, numbers * timeFrequencies]);
  const hidden = linearLayer(params, `${name}.mlp.0`, together, 'silu'); // -> [B, D]
  return add(c, linearLayer(params, `${name}.mlp.2`, hidden)); // -> [B, D]
}
