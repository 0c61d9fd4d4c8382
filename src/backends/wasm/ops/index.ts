// The ops that kernels are bound for, by name. All others are decomposed, or computed by their plain implementations.
import type { OpName } from '../../../ops/registry.ts';
import { attention, attentionGrad, crossAttention, crossAttentionGrad } from './attention.ts';
import { conv2d, conv2dGradInput, conv2dGradParams } from './conv2d.ts';
import { activationGrad, affine, binary, unary } from './elementwise.ts';
import { groupNorm, groupNormGrad } from './group-norm.ts';
import type { Kernel } from './kernel.ts';
import { linear, linearGatedResidual, linearGradInput, linearGradParams } from './linear.ts';
import { matmul } from './matmul.ts';
import { gatedResidual, gatedResidualGrad, layerNormModulate, layerNormModulateGrad } from './norms.ts';
import { globalNorm, isFinite, sum } from './sums.ts';
import { adamw, adamwAverage, lerpAssign } from './updates.ts';
import { upsampleNearest, upsampleNearestGrad } from './upsample-nearest.ts';

export type { Kernel, KernelName, Kernels, Places } from './kernel.ts';

const byName: Partial<Record<OpName, Kernel>> = {
  ...binary,
  ...unary,
  activationGrad,
  adamw,
  adamwAverage,
  affine,
  attention,
  attentionGrad,
  conv2d,
  conv2dGradInput,
  conv2dGradParams,
  crossAttention,
  crossAttentionGrad,
  gatedResidual,
  gatedResidualGrad,
  globalNorm,
  groupNorm,
  groupNormGrad,
  isFinite,
  layerNormModulate,
  layerNormModulateGrad,
  lerpAssign,
  linear,
  linearGatedResidual,
  linearGradInput,
  linearGradParams,
  matmul,
  sum,
  upsampleNearest,
  upsampleNearestGrad,
};

export const kernels: ReadonlyMap<string, Kernel> = new Map(Object.entries(byName));
