// Between images and the tokens of a transformer, with the names of the public release of DiT (Peebles & Xie 2023,
// arXiv:2212.09748).
//
//   B  images in the batch        D  width
//   C  channels                   N  tokens, (H / p) (W / p)
//   H  height, W  width           p  patch size
//
// All of it depends on the images of a batch, none on the size that a model is made for.
import { xavierUniform, zeros } from '../nn/initializers.ts';
import { linearLayer, linearParameters } from '../nn/layers.ts';
import type { ParameterSpec, Parameters } from '../nn/parameters.ts';
import type { PositionTables } from '../nn/position-table.ts';
import type { RotaryTables } from '../nn/rotary.ts';
import type { FixedTable } from '../nn/fixed-table.ts';
import { add, linear, patchify, reshape, unpatchify } from '../ops/index.ts';
import { formatShape, valueError } from '../tensor/errors.ts';
import type { Shape } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { ResolvedDiTConfig } from './dit-config.ts';
import type { BlockParts } from './dit-parts.ts';
import { finalModulation, finalModulationParameters } from './dit-blocks.ts';

type PatchConfig = Pick<ResolvedDiTConfig, 'width' | 'patchSize' | 'channels'>;

/**
 * A convolution whose stride is its kernel's side is one linear layer on the flattened patches, and where a patch lies is added:
 * x [B, C, H, W] -> [B, N, D]
 */
export function embedPatches(
  params: Parameters,
  x: Tensor,
  patchSize: number,
  positions: PositionTables,
): Tensor {
  const [, , height, width] = x.shape as [number, number, number, number];
  const kernel = params('x_embedder.proj.weight'); // [D, C, p, p]
  const patches = patchify(x, patchSize); // -> [B, N, C p p]
  const weight = reshape(kernel, [kernel.shape[0]!, patches.shape[2]!]); // -> [D, C p p]
  const table = positions.of(height / patchSize, width / patchSize, x); // [1, N, D]
  return add(linear(patches, weight, params('x_embedder.proj.bias')), table); // -> [B, N, D]
}

export function patchEmbedderParameters({
  width: D,
  patchSize: p,
  channels: C,
}: PatchConfig): ParameterSpec[] {
  return [
    { name: 'x_embedder.proj.weight', shape: [D, C, p, p], init: xavierUniform },
    { name: 'x_embedder.proj.bias', shape: [D], init: zeros },
  ];
}

/** h [B, N, D], c [B, D] -> [B, C, H, W], as x has them */
export function projectPatches(
  params: Parameters,
  h: Tensor,
  c: Tensor,
  patchSize: number,
  x: Tensor,
  norm?: BlockParts['norm'],
): Tensor {
  const [, C, H, W] = x.shape as [number, number, number, number];
  const modulated = finalModulation(params, h, c, norm);
  const patches = linearLayer(params, 'final_layer.linear', modulated); // -> [B, N, p p C]
  return unpatchify(patches, patchSize, [C, H, W]);
}

/** That files carry: of the size that the model is made for. */
export function patchTables(
  { imageSize: [height, width], patchSize }: Pick<ResolvedDiTConfig, 'imageSize' | 'patchSize'>,
  positions: PositionTables,
  rotary?: RotaryTables,
): FixedTable[] {
  const [rows, columns] = [height / patchSize, width / patchSize];
  return [positions.inFiles(rows, columns), ...(rotary?.inFiles(rows, columns) ?? [])];
}

/**
 * The size of images of which each is a sample of this shape.
 * @throws RectiflowError where they are none of the model's channels
 */
export function imageSizeOf(
  model: string,
  { channels }: Pick<ResolvedDiTConfig, 'channels'>,
  sampleShape: Shape,
): readonly [height: number, width: number] {
  const [found, height, width, ...more] = sampleShape;
  if (found === channels && height !== undefined && width !== undefined && more.length === 0)
    return [height, width];
  throw valueError(model, 'shape of a sample', `[${channels}, height, width]`, formatShape(sampleShape));
}

export function patchProjectionParameters({
  width: D,
  patchSize: p,
  channels: C,
  norm,
}: PatchConfig & Pick<BlockParts, 'norm'>): ParameterSpec[] {
  return [
    ...linearParameters('final_layer.linear', p * p * C, D, zeros),
    ...finalModulationParameters(D, norm),
  ];
}
