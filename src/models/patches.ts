// Between images and the tokens of a transformer, with the names of the public release of DiT (Peebles & Xie 2023,
// arXiv:2212.09748).
//
//   B  images in the batch        D  width
//   C  channels                   N  tokens, (H / p) (W / p)
//   H  height, W  width           p  patch size
import { fixed, xavierUniform, zeros } from '../nn/initializers.ts';
import { linearLayer, linearParameters } from '../nn/layers.ts';
import type { ParameterSpec, Parameters } from '../nn/parameters.ts';
import { positionTable } from '../nn/position-table.ts';
import { add, linear, patchify, reshape, unpatchify } from '../ops/index.ts';
import type { Tensor } from '../tensor/tensor.ts';
import type { ResolvedDiTConfig } from './dit-config.ts';
import { finalModulation, finalModulationParameters } from './dit-blocks.ts';

type PatchConfig = Pick<ResolvedDiTConfig, 'width' | 'patchSize' | 'channels' | 'imageSize'>;

/** A convolution whose stride is its kernel's side is one linear layer on the flattened patches: x [B, C, H, W] -> [B, N, D] */
export function embedPatches(params: Parameters, x: Tensor, patchSize: number): Tensor {
  const kernel = params('x_embedder.proj.weight'); // [D, C, p, p]
  const patches = patchify(x, patchSize); // -> [B, N, C p p]
  const weight = reshape(kernel, [kernel.shape[0]!, patches.shape[2]!]); // -> [D, C p p]
  return add(linear(patches, weight, params('x_embedder.proj.bias')), params('pos_embed')); // -> [B, N, D]
}

export function patchEmbedderParameters({
  width: D,
  patchSize: p,
  channels: C,
  imageSize,
}: PatchConfig): ParameterSpec[] {
  const rows = imageSize[0] / p;
  const columns = imageSize[1] / p;
  const table = fixed(() => positionTable(rows, columns, D));
  return [
    { name: 'pos_embed', shape: [1, rows * columns, D], init: table, trainable: false },
    { name: 'x_embedder.proj.weight', shape: [D, C, p, p], init: xavierUniform, trainable: true },
    { name: 'x_embedder.proj.bias', shape: [D], init: zeros, trainable: true },
  ];
}

/** h [B, N, D], c [B, D] -> [B, C, H, W] */
export function projectPatches(
  params: Parameters,
  h: Tensor,
  c: Tensor,
  patchSize: number,
  imageShape: readonly [channels: number, height: number, width: number],
): Tensor {
  const patches = linearLayer(params, 'final_layer.linear', finalModulation(params, h, c)); // -> [B, N, p p C]
  return unpatchify(patches, patchSize, imageShape);
}

export function patchProjectionParameters({
  width: D,
  patchSize: p,
  channels: C,
}: PatchConfig): ParameterSpec[] {
  return [...linearParameters('final_layer.linear', p * p * C, D, zeros), ...finalModulationParameters(D)];
}
