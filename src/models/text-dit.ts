// The Diffusion Transformer of dit.ts, told a caption in place of a class: every block attends to the caption's tokens (as in
// PixArt-alpha, Chen et al. 2023, arXiv:2310.00426), and the caption as a whole joins the time in adaLN.
//
//   B  images in the batch        D  width
//   C  channels                   N  tokens of an image, (H / p) (W / p)
//   H  height, W  width           p  patch size
import { zeros } from '../nn/initializers.ts';
import {
  crossAttentionLayer,
  crossAttentionParameters,
  layerNormLayer,
  layerNormParameters,
  linearLayer,
  linearParameters,
} from '../nn/layers.ts';
import type { FixedTable } from '../nn/fixed-table.ts';
import type { ParameterSpec, Parameters } from '../nn/parameters.ts';
import { PositionTables } from '../nn/position-table.ts';
import { add, silu } from '../ops/index.ts';
import type { Shape } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Cost, costPerCaptionedImage } from './cost.ts';
import { positionsOf } from './dit-config.ts';
import { block, blockParameters, conditioning, conditioningParameters } from './dit-blocks.ts';
import type { ConditionSpec, Conditions, VelocityModel } from './model.ts';
import {
  embedPatches,
  imageSizeOf,
  patchEmbedderParameters,
  patchProjectionParameters,
  patchTables,
  projectPatches,
} from './patches.ts';
import { type ResolvedTextDiTConfig, type TextDiTConfig, resolveTextDiTConfig } from './text-dit-config.ts';
import { addSizes, sizeCondition, sizeParameters } from './size-conditioning.ts';
import { type EncodedText, type TextConditioning, createTextConditioning } from './text-conditioning.ts';

export class TextDiT implements VelocityModel {
  readonly config: ResolvedTextDiTConfig;
  readonly sampleShape: readonly [number, number, number];
  /** A caption, as its tokens or as embeddings of them; the empty caption stands for none. */
  readonly conditions: readonly ConditionSpec[];
  readonly parameters: readonly ParameterSpec[];
  readonly tables: readonly FixedTable[];
  private readonly positions: PositionTables;
  private readonly text: TextConditioning;

  /** @throws RectiflowError where the sizes do not fit together */
  constructor(config: TextDiTConfig) {
    this.config = resolveTextDiTConfig(config);
    this.sampleShape = [config.channels, ...this.config.imageSize];
    this.text = createTextConditioning(config.text);
    this.conditions = [...this.text.conditions, ...sizeCondition(config.sizeConditioning, this.sampleShape)];
    this.positions = new PositionTables(this.config.width, positionsOf(this.config));
    this.tables = patchTables(this.config, this.positions);
    this.parameters = declare(this.config, this.text.parameters);
  }

  cost(sampleShape: Shape): Cost {
    return costPerCaptionedImage(this.madeFor(sampleShape));
  }

  checkShape(sampleShape: Shape): void {
    resolveTextDiTConfig(this.madeFor(sampleShape));
  }

  /** Its config, were it made for samples of this shape. */
  private madeFor(sampleShape: Shape): ResolvedTextDiTConfig {
    return { ...this.config, imageSize: imageSizeOf('TextDiT', this.config, sampleShape) };
  }

  velocity(params: Parameters, x: Tensor, t: Tensor, conditions: Conditions): Tensor {
    const { depth, heads, patchSize, timeScale, sizeConditioning } = this.config;
    const text = this.text.encode(params, conditions);
    const time = conditioning(params, t, undefined, timeScale); // -> [B, D]
    const told = add(time, linearLayer(params, 'text_embedder', text.pooled)); // -> [B, D]
    const c = silu(addSizes(params, told, sizeConditioning, conditions)); // -> [B, D]
    let h = embedPatches(params, x, patchSize, this.positions); // -> [B, N, D]
    for (let i = 0; i < depth; i++) {
      const name = `blocks.${i}`;
      h = block(params, name, h, c, heads, (tokens) => attendToText(params, name, tokens, text, heads));
    }
    return projectPatches(params, h, c, patchSize, x); // -> [B, C, H, W]
  }
}

/** Without a gate: the projection starts at zero, so a new block does nothing, as one of adaLN-Zero does. [B, N, D] -> [B, N, D] */
function attendToText(params: Parameters, name: string, h: Tensor, text: EncodedText, heads: number): Tensor {
  const queries = layerNormLayer(params, `${name}.text_norm`, h);
  return add(h, crossAttentionLayer(params, `${name}.text_attn`, queries, text, heads));
}

function declare(config: ResolvedTextDiTConfig, text: readonly ParameterSpec[]): ParameterSpec[] {
  const { width: D, depth, sizeConditioning } = config;
  return [
    ...patchEmbedderParameters(config),
    ...conditioningParameters(0, D),
    ...sizeParameters(sizeConditioning, D),
    ...text,
    ...linearParameters('text_embedder', D, config.text.width),
    ...Array.from({ length: depth }, (_, i) => [
      ...blockParameters(`blocks.${i}`, D),
      ...layerNormParameters(`blocks.${i}.text_norm`, D),
      ...crossAttentionParameters(`blocks.${i}.text_attn`, D, config.text.width, zeros),
    ]).flat(),
    ...patchProjectionParameters(config),
  ];
}
