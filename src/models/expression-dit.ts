// A Diffusion Transformer over genes. Genes have no neighbours, so that a token is a group of genes with a projection and an
// embedding of its own; the blocks are those of DiT.
//
//   B  cells in the batch         D  width
//   G  genes                      T  tokens, ceil(G / p)
//   p  genes of a group
import { normal, zeros } from '../nn/initializers.ts';
import type { ParameterSpec, Parameters } from '../nn/parameters.ts';
import { add, matmul, pad, reshape, silu, slice, transpose } from '../ops/index.ts';
import { valueError } from '../tensor/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { type Cost, costPerCell } from './cost.ts';
import {
  block,
  blockParameters,
  conditioning,
  conditioningParameters,
  finalModulation,
  finalModulationParameters,
} from './dit-blocks.ts';
import {
  type ExpressionDiTConfig,
  type ResolvedExpressionDiTConfig,
  resolveExpressionDiTConfig,
} from './expression-dit-config.ts';
import { type ConditionSpec, type Conditions, type VelocityModel, labelCondition } from './model.ts';

export class ExpressionDiT implements VelocityModel {
  readonly config: ResolvedExpressionDiTConfig;
  readonly sampleShape: readonly [number];
  readonly conditions: readonly ConditionSpec[];
  readonly parameters: readonly ParameterSpec[];
  readonly cost: Cost;

  /** @throws RectiflowError where the sizes do not fit together */
  constructor(config: ExpressionDiTConfig) {
    this.config = resolveExpressionDiTConfig(config);
    this.sampleShape = [config.genes];
    this.conditions = labelCondition(config.classes);
    this.parameters = declare(this.config);
    this.cost = costPerCell(this.config);
  }

  velocity(params: Parameters, x: Tensor, t: Tensor, { labels }: Conditions): Tensor {
    const { depth, heads, groupSize: p, classes, timeScale } = this.config;
    if (classes > 0 && !labels) {
      throw valueError('ExpressionDiT', 'labels', `given: there are ${classes} classes`, labels);
    }
    const [B, G] = x.shape as [number, number];
    const T = Math.ceil(G / p);
    const c = silu(conditioning(params, t, labels, timeScale)); // -> [B, D]
    const groups = reshape(pad(x, 1, 0, T * p - G), [B, T, p]);
    let h = add(projectEach(groups, params('x_embedder.weight')), params('gene_embed')); // -> [B, T, D]
    for (let i = 0; i < depth; i++) h = block(params, `blocks.${i}`, h, c, heads);
    const projected = projectEach(finalModulation(params, h, c), params('final_layer.weight')); // -> [B, T, p]
    const velocity = add(projected, params('final_layer.bias'));
    return slice(reshape(velocity, [B, T * p]), 1, 0, G); // -> [B, G]
  }
}

/** Each token by a matrix of its own: x [B, T, in], weight [T, in, out] -> [B, T, out] */
function projectEach(x: Tensor, weight: Tensor): Tensor {
  return transpose(matmul(transpose(x, [1, 0, 2]), weight), [1, 0, 2]);
}

function declare({
  width: D,
  depth,
  groupSize: p,
  genes,
  classes,
}: ResolvedExpressionDiTConfig): ParameterSpec[] {
  const T = Math.ceil(genes / p);
  // Glorot & Bengio 2010 for each group's matrix; as small a table as those of times and labels.
  const project = normal(Math.sqrt(2 / (p + D)));
  return [
    { name: 'gene_embed', shape: [1, T, D], init: normal(0.02) },
    { name: 'x_embedder.weight', shape: [T, p, D], init: project },
    ...conditioningParameters(classes, D),
    ...Array.from({ length: depth }, (_, i) => blockParameters(`blocks.${i}`, D)).flat(),
    { name: 'final_layer.weight', shape: [T, D, p], init: zeros },
    { name: 'final_layer.bias', shape: [1, T, p], init: zeros },
    ...finalModulationParameters(D),
  ];
}
