import * as activations from './activations.ts';
import { accumulateOp } from './accumulate.ts';
import { accumulateTreeOp } from './accumulate-tree.ts';
import { adamwAverageOp, adamwOp } from './adamw.ts';
import { advanceOp } from './advance.ts';
import { assignOp } from './assign.ts';
import { attentionGradOp, attentionOp } from './attention.ts';
import { castOp } from './cast.ts';
import { conditionDropoutOp } from './condition-dropout.ts';
import { constantOp } from './constant.ts';
import { conv2dGradInputOp, conv2dGradParamsOp, conv2dOp } from './conv2d.ts';
import { crossAttentionGradOp, crossAttentionOp } from './cross-attention.ts';
import { denoiseOp } from './denoise.ts';
import { elementsOp } from './elements.ts';
import * as elementwise from './elementwise.ts';
import { gatedResidualGradOp, gatedResidualOp } from './gated-residual.ts';
import { gatherOp, scatterAddOp } from './gather.ts';
import { globalNormOp } from './global-norm.ts';
import { groupNormGradOp, groupNormOp } from './group-norm.ts';
import { isFiniteOp } from './is-finite.ts';
import { layerNormModulateGradOp, layerNormModulateOp } from './layer-norm-modulate.ts';
import { layerNormOp, rmsNormOp } from './layer-norm.ts';
import { lengthMaskOp } from './length-mask.ts';
import { lerpAssignOp } from './lerp-assign.ts';
import { linearGatedResidualOp } from './linear-gated-residual.ts';
import { linearGradInputOp, linearGradParamsOp, linearOp } from './linear.ts';
import { matmulOp } from './matmul.ts';
import { meanSquaredErrorOp } from './mean-squared-error.ts';
import type { Op } from './op.ts';
import { operandOp } from './operand.ts';
import { patchifyOp, unpatchifyOp } from './patchify.ts';
import { philoxNormalOp, philoxUniformOp } from './philox.ts';
import { absOp, clampOp } from './piecewise.ts';
import { maxOp } from './reduce.ts';
import { reshapeOp } from './reshape.ts';
import { roundToFloat16Op } from './round-to-float16.ts';
import { concatOp, padOp, sliceOp, splitOp } from './slice.ts';
import { softmaxOp } from './softmax.ts';
import { broadcastToOp, sumOp } from './sum.ts';
import { timestepEmbeddingOp } from './timestep-embedding.ts';
import { transposeOp } from './transpose.ts';
import { upsampleNearestGradOp, upsampleNearestOp } from './upsample-nearest.ts';

export type OpName =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'less'
  | 'minimum'
  | 'maximum'
  | 'neg'
  | 'exp'
  | 'log'
  | 'sqrt'
  | 'square'
  | 'reciprocal'
  | 'tanh'
  | 'sigmoid'
  | 'sin'
  | 'cos'
  | 'affine'
  | 'abs'
  | 'clamp'
  | 'cast'
  | 'roundToFloat16'
  | 'operand'
  | 'sum'
  | 'max'
  | 'broadcastTo'
  | 'reshape'
  | 'transpose'
  | 'slice'
  | 'elements'
  | 'split'
  | 'pad'
  | 'concat'
  | 'matmul'
  | 'gather'
  | 'scatterAdd'
  | 'constant'
  | 'lengthMask'
  | 'gelu'
  | 'geluDerivative'
  | 'silu'
  | 'siluDerivative'
  | 'relu'
  | 'activationGrad'
  | 'softmax'
  | 'linear'
  | 'linearGradInput'
  | 'linearGradParams'
  | 'linearGatedResidual'
  | 'conv2d'
  | 'conv2dGradInput'
  | 'conv2dGradParams'
  | 'upsampleNearest'
  | 'upsampleNearestGrad'
  | 'attention'
  | 'attentionGrad'
  | 'crossAttention'
  | 'crossAttentionGrad'
  | 'layerNorm'
  | 'rmsNorm'
  | 'groupNorm'
  | 'groupNormGrad'
  | 'layerNormModulate'
  | 'layerNormModulateGrad'
  | 'gatedResidual'
  | 'gatedResidualGrad'
  | 'patchify'
  | 'unpatchify'
  | 'timestepEmbedding'
  | 'meanSquaredError'
  | 'philoxUniform'
  | 'philoxNormal'
  | 'conditionDropout'
  | 'advance'
  | 'denoise'
  | 'globalNorm'
  | 'isFinite'
  | 'assign'
  | 'accumulate'
  | 'accumulateTree'
  | 'lerpAssign'
  | 'adamw'
  | 'adamwAverage';

/** Every op of this package, by name. The conformance suite has an entry for each, or it does not compile. */
export const ops: Readonly<Record<OpName, Op>> = {
  add: elementwise.addOp,
  sub: elementwise.subOp,
  mul: elementwise.mulOp,
  div: elementwise.divOp,
  less: elementwise.lessOp,
  minimum: elementwise.minimumOp,
  maximum: elementwise.maximumOp,
  neg: elementwise.negOp,
  exp: elementwise.expOp,
  log: elementwise.logOp,
  sqrt: elementwise.sqrtOp,
  square: elementwise.squareOp,
  reciprocal: elementwise.reciprocalOp,
  tanh: elementwise.tanhOp,
  sigmoid: elementwise.sigmoidOp,
  sin: elementwise.sinOp,
  cos: elementwise.cosOp,
  affine: elementwise.affineOp,
  abs: absOp,
  clamp: clampOp,
  cast: castOp,
  roundToFloat16: roundToFloat16Op,
  operand: operandOp,
  sum: sumOp,
  max: maxOp,
  broadcastTo: broadcastToOp,
  reshape: reshapeOp,
  transpose: transposeOp,
  slice: sliceOp,
  elements: elementsOp,
  split: splitOp,
  pad: padOp,
  concat: concatOp,
  matmul: matmulOp,
  gather: gatherOp,
  scatterAdd: scatterAddOp,
  constant: constantOp,
  lengthMask: lengthMaskOp,
  gelu: activations.geluOp,
  geluDerivative: activations.geluDerivativeOp,
  silu: activations.siluOp,
  siluDerivative: activations.siluDerivativeOp,
  relu: activations.reluOp,
  activationGrad: activations.activationGradOp,
  softmax: softmaxOp,
  linear: linearOp,
  linearGradInput: linearGradInputOp,
  linearGradParams: linearGradParamsOp,
  linearGatedResidual: linearGatedResidualOp,
  conv2d: conv2dOp,
  conv2dGradInput: conv2dGradInputOp,
  conv2dGradParams: conv2dGradParamsOp,
  upsampleNearest: upsampleNearestOp,
  upsampleNearestGrad: upsampleNearestGradOp,
  attention: attentionOp,
  attentionGrad: attentionGradOp,
  crossAttention: crossAttentionOp,
  crossAttentionGrad: crossAttentionGradOp,
  layerNorm: layerNormOp,
  rmsNorm: rmsNormOp,
  groupNorm: groupNormOp,
  groupNormGrad: groupNormGradOp,
  layerNormModulate: layerNormModulateOp,
  layerNormModulateGrad: layerNormModulateGradOp,
  gatedResidual: gatedResidualOp,
  gatedResidualGrad: gatedResidualGradOp,
  patchify: patchifyOp,
  unpatchify: unpatchifyOp,
  timestepEmbedding: timestepEmbeddingOp,
  meanSquaredError: meanSquaredErrorOp,
  philoxUniform: philoxUniformOp,
  philoxNormal: philoxNormalOp,
  conditionDropout: conditionDropoutOp,
  advance: advanceOp,
  denoise: denoiseOp,
  globalNorm: globalNormOp,
  isFinite: isFiniteOp,
  assign: assignOp,
  accumulate: accumulateOp,
  accumulateTree: accumulateTreeOp,
  lerpAssign: lerpAssignOp,
  adamw: adamwOp,
  adamwAverage: adamwAverageOp,
};

/** Whether an op is the one of this package that has its name: kernels are written for it, and for no other of that name. */
export function isBuiltIn(op: Op): boolean {
  return ops[op.name as OpName] === op;
}
