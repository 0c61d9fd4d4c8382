// The Diffusion Transformer with adaLN-Zero blocks (Peebles & Xie 2023, arXiv:2212.09748). Names, shapes, initialisation and
// the order of chunks are those of the public release, so that weights can be exchanged with it.
//
//   B  images in the batch        D  width
//   C  channels                   N  tokens, (H / p) (W / p)
//   H  height, W  width           K  classes; row K of the label table is the null label
//   p  patch size
import { fixed, xavierUniform, zeros } from '../nn/initializers.ts';
import { linearLayer, linearParameters } from '../nn/layers.ts';
import type { ParameterSpec, Parameters } from '../nn/parameters.ts';
import { positionTable } from '../nn/position-table.ts';
import { add, linear, patchify, reshape, silu, unpatchify } from '../ops/index.ts';
import { valueError } from '../tensor/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Cost, costPerImage } from './cost.ts';
import {
  block,
  blockParameters,
  conditioning,
  conditioningParameters,
  finalModulation,
  finalModulationParameters,
} from './dit-blocks.ts';
import { type DiTConfig, type ResolvedDiTConfig, resolveDiTConfig } from './dit-config.ts';
import { type ConditionSpec, type Conditions, type Model, labelCondition } from './model.ts';

export class DiT implements Model {
  readonly config: ResolvedDiTConfig;
  readonly sampleShape: readonly [number, number, number];
  readonly conditions: readonly ConditionSpec[];
  readonly parameters: readonly ParameterSpec[];
  readonly cost: Cost;

  /** @throws RectiflowError where the sizes do not fit together */
  constructor(config: DiTConfig) {
    this.config = resolveDiTConfig(config);
    this.sampleShape = [config.channels, ...this.config.imageSize];
    this.conditions = labelCondition(config.classes);
    this.parameters = declare(this.config);
    this.cost = costPerImage(this.config);
  }

  velocity(params: Parameters, x: Tensor, t: Tensor, { labels }: Conditions): Tensor {
    const { depth, heads, patchSize, classes, timeScale } = this.config;
    if (classes > 0 && !labels)
      throw valueError('DiT', 'labels', `given: there are ${classes} classes`, labels);
    // Every block's modulation starts with the same SiLU of the conditioning.
    const c = silu(conditioning(params, t, labels, timeScale)); // -> [B, D]
    let h = add(embedPatches(params, x, patchSize), params('pos_embed')); // -> [B, N, D]
    for (let i = 0; i < depth; i++) h = block(params, `blocks.${i}`, h, c, heads);
    const patches = linearLayer(params, 'final_layer.linear', finalModulation(params, h, c)); // -> [B, N, p p C]
    return unpatchify(patches, patchSize, this.sampleShape); // -> [B, C, H, W]
  }
}

/** A convolution whose stride is its kernel's side is one linear layer on the flattened patches. */
function embedPatches(params: Parameters, x: Tensor, patchSize: number): Tensor {
  const kernel = params('x_embedder.proj.weight'); // [D, C, p, p]
  const patches = patchify(x, patchSize); // -> [B, N, C p p]
  const weight = reshape(kernel, [kernel.shape[0]!, patches.shape[2]!]); // -> [D, C p p]
  return linear(patches, weight, params('x_embedder.proj.bias')); // -> [B, N, D]
}

/** In the order of the public state dict. All that ends in zero makes every block, and the output, start as nothing. */
function declare({
  width: D,
  depth,
  patchSize: p,
  channels: C,
  imageSize,
  classes,
}: ResolvedDiTConfig): ParameterSpec[] {
  const rows = imageSize[0] / p;
  const columns = imageSize[1] / p;
  const table = fixed(() => positionTable(rows, columns, D));
  return [
    { name: 'pos_embed', shape: [1, rows * columns, D], init: table, trainable: false },
    { name: 'x_embedder.proj.weight', shape: [D, C, p, p], init: xavierUniform, trainable: true },
    { name: 'x_embedder.proj.bias', shape: [D], init: zeros, trainable: true },
    ...conditioningParameters(classes, D),
    ...Array.from({ length: depth }, (_, i) => blockParameters(`blocks.${i}`, D)).flat(),
    ...linearParameters('final_layer.linear', p * p * C, D, zeros),
    ...finalModulationParameters(D),
  ];
}
