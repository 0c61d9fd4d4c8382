// The Diffusion Transformer with adaLN-Zero blocks (Peebles & Xie 2023, arXiv:2212.09748). Names, shapes, initialisation and
// the order of chunks are those of the public release, so that weights can be exchanged with it.
//
//   B  images in the batch        D  width
//   C  channels                   N  tokens, (H / p) (W / p)
//   H  height, W  width           K  classes; row K of the label table is the null label
//   p  patch size
import type { FixedTable } from '../nn/fixed-table.ts';
import type { ParameterSpec, Parameters } from '../nn/parameters.ts';
import { PositionTables } from '../nn/position-table.ts';
import { RotaryTables } from '../nn/rotary.ts';
import { affine, silu } from '../ops/index.ts';
import { valueError } from '../tensor/errors.ts';
import type { Shape } from '../tensor/shape.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Cost, costPerImage } from './cost.ts';
import { block, blockParameters, conditioning, conditioningParameters } from './dit-blocks.ts';
import { type DiTConfig, type ResolvedDiTConfig, positionsOf, resolveDiTConfig } from './dit-config.ts';
import { type ConditionSpec, type Conditions, type VelocityModel, labelCondition } from './model.ts';
import {
  embedPatches,
  imageSizeOf,
  patchEmbedderParameters,
  patchProjectionParameters,
  patchTables,
  projectPatches,
} from './patches.ts';
import { addSizes, sizeCondition, sizeParameters } from './size-conditioning.ts';

export class DiT implements VelocityModel {
  readonly config: ResolvedDiTConfig;
  readonly sampleShape: readonly [number, number, number];
  readonly conditions: readonly ConditionSpec[];
  readonly parameters: readonly ParameterSpec[];
  readonly tables: readonly FixedTable[];
  private readonly positions: PositionTables;
  private readonly rotary: RotaryTables | undefined;

  /** @throws RectiflowError where the sizes do not fit together */
  constructor(config: DiTConfig) {
    this.config = resolveDiTConfig(config);
    this.sampleShape = [config.channels, ...this.config.imageSize];
    this.conditions = [
      ...labelCondition(config.classes),
      ...sizeCondition(config.sizeConditioning, this.sampleShape),
    ];
    const { width, heads, rotary = false } = this.config;
    const positions = positionsOf(this.config);
    this.positions = new PositionTables(width, positions);
    if (rotary) this.rotary = new RotaryTables(width / heads, heads, positions);
    this.tables = patchTables(this.config, this.positions, this.rotary);
    this.parameters = declare(this.config);
  }

  cost(sampleShape: Shape): Cost {
    return costPerImage(this.madeFor(sampleShape));
  }

  checkShape(sampleShape: Shape): void {
    resolveDiTConfig(this.madeFor(sampleShape));
  }

  /** Its config, were it made for samples of this shape. */
  private madeFor(sampleShape: Shape): ResolvedDiTConfig {
    return { ...this.config, imageSize: imageSizeOf('DiT', this.config, sampleShape) };
  }

  velocity(params: Parameters, x: Tensor, t: Tensor, conditions: Conditions): Tensor {
    const { depth, heads, patchSize, classes, timeScale, reverseTime, sizeConditioning } = this.config;
    const { labels } = conditions;
    if (classes > 0 && !labels)
      throw valueError('DiT', 'labels', `given: there are ${classes} classes`, labels);
    const time = reverseTime ? affine(t, -1, 1) : t;
    // Every block's modulation starts with the same SiLU of the conditioning.
    const told = conditioning(params, time, labels, timeScale); // -> [B, D]
    const c = silu(addSizes(params, told, sizeConditioning, conditions)); // -> [B, D]
    const rotation = this.rotary?.of(x.shape[2]! / patchSize, x.shape[3]! / patchSize, x);
    let h = embedPatches(params, x, patchSize, this.positions); // -> [B, N, D]
    for (let i = 0; i < depth; i++)
      h = block(params, `blocks.${i}`, h, c, heads, undefined, this.config, rotation);
    return projectPatches(params, h, c, patchSize, x, this.config.norm); // -> [B, C, H, W]
  }
}

/** In the order of the public state dict. All that ends in zero makes every block, and the output, start as nothing. */
function declare(config: ResolvedDiTConfig): ParameterSpec[] {
  const { width: D, depth, heads, classes, sizeConditioning } = config;
  return [
    ...patchEmbedderParameters(config),
    ...conditioningParameters(classes, D),
    ...sizeParameters(sizeConditioning, D),
    ...Array.from({ length: depth }, (_, i) => blockParameters(`blocks.${i}`, D, heads, config)).flat(),
    ...patchProjectionParameters(config),
  ];
}
