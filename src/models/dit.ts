// The Diffusion Transformer with adaLN-Zero blocks (Peebles & Xie 2023, arXiv:2212.09748). Names, shapes, initialisation and
// the order of chunks are those of the public release, so that weights can be exchanged with it.
//
//   B  images in the batch        D  width
//   C  channels                   N  tokens, (H / p) (W / p)
//   H  height, W  width           K  classes; row K of the label table is the null label
//   p  patch size
import { fixed, xavierUniform, zeros } from '../nn/initializers.ts';
import {
  labelEmbedder,
  labelEmbedderParameters,
  linearLayer,
  linearParameters,
  timestepEmbedder,
  timestepEmbedderParameters,
} from '../nn/layers.ts';
import type { ParameterSpec, Parameters } from '../nn/parameters.ts';
import { positionTable } from '../nn/position-table.ts';
import {
  add,
  attention,
  gatedResidual,
  layerNormModulate,
  linear,
  patchify,
  reshape,
  silu,
  split,
  unpatchify,
} from '../ops/index.ts';
import { valueError } from '../tensor/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Cost, costPerImage } from './cost.ts';
import { type DiTConfig, type ResolvedDiTConfig, resolveDiTConfig } from './dit-config.ts';
import { type ConditionSpec, type Conditions, type Model, labelCondition } from './model.ts';

const mlpRatio = 4;

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
    const { depth, heads, patchSize, classes } = this.config;
    if (classes > 0 && !labels)
      throw valueError('DiT', 'labels', `given: there are ${classes} classes`, labels);
    // Every block's modulation starts with the same SiLU of the conditioning.
    const c = silu(this.condition(params, t, labels)); // -> [B, D]
    let h = add(embedPatches(params, x, patchSize), params('pos_embed')); // -> [B, N, D]
    for (let i = 0; i < depth; i++) h = block(params, `blocks.${i}`, h, c, heads);
    return unpatchify(finalLayer(params, h, c), patchSize, this.sampleShape); // -> [B, C, H, W]
  }

  private condition(params: Parameters, t: Tensor, labels: Tensor | undefined): Tensor {
    const time = timestepEmbedder(params, 't_embedder', t, this.config.timeScale); // -> [B, D]
    if (labels === undefined) return time;
    return add(time, labelEmbedder(params, 'y_embedder', labels)); // -> [B, D]
  }
}

/** A convolution whose stride is its kernel's side is one linear layer on the flattened patches. */
function embedPatches(params: Parameters, x: Tensor, patchSize: number): Tensor {
  const kernel = params('x_embedder.proj.weight'); // [D, C, p, p]
  const patches = patchify(x, patchSize); // -> [B, N, C p p]
  const weight = reshape(kernel, [kernel.shape[0]!, patches.shape[2]!]); // -> [D, C p p]
  return linear(patches, weight, params('x_embedder.proj.bias')); // -> [B, N, D]
}

/** x [B, N, D], c [B, D] -> [B, N, D] */
function block(params: Parameters, name: string, x: Tensor, c: Tensor, heads: number): Tensor {
  const modulation = split(linearLayer(params, `${name}.adaLN_modulation.1`, c), 1, 6); // -> 6 x [B, D]
  const [shift1, scale1, gate1, shift2, scale2, gate2] = modulation as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const qkv = linearLayer(params, `${name}.attn.qkv`, layerNormModulate(x, shift1, scale1)); // -> [B, N, 3D]
  const attended = linearLayer(params, `${name}.attn.proj`, attention(qkv, heads)); // -> [B, N, D]
  const h = gatedResidual(x, attended, gate1);
  const hidden = linearLayer(params, `${name}.mlp.fc1`, layerNormModulate(h, shift2, scale2), 'gelu'); // -> [B, N, 4D]
  return gatedResidual(h, linearLayer(params, `${name}.mlp.fc2`, hidden), gate2); // -> [B, N, D]
}

/** h [B, N, D], c [B, D] -> [B, N, p p C] */
function finalLayer(params: Parameters, h: Tensor, c: Tensor): Tensor {
  const modulation = split(linearLayer(params, 'final_layer.adaLN_modulation.1', c), 1, 2); // -> 2 x [B, D]
  const [shift, scale] = modulation as [Tensor, Tensor];
  return linearLayer(params, 'final_layer.linear', layerNormModulate(h, shift, scale));
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
    ...timestepEmbedderParameters('t_embedder', D),
    ...(classes === 0 ? [] : labelEmbedderParameters('y_embedder', classes, D)),
    ...Array.from({ length: depth }, (_, i) => declareBlock(`blocks.${i}`, D)).flat(),
    ...linearParameters('final_layer.linear', p * p * C, D, zeros),
    ...linearParameters('final_layer.adaLN_modulation.1', 2 * D, D, zeros),
  ];
}

function declareBlock(name: string, D: number): ParameterSpec[] {
  return [
    ...linearParameters(`${name}.attn.qkv`, 3 * D, D),
    ...linearParameters(`${name}.attn.proj`, D, D),
    ...linearParameters(`${name}.mlp.fc1`, mlpRatio * D, D),
    ...linearParameters(`${name}.mlp.fc2`, D, mlpRatio * D),
    ...linearParameters(`${name}.adaLN_modulation.1`, 6 * D, D, zeros),
  ];
}
