// All kernels, by the names of their ops. What is not here is lowered to what is.
import type { Kernel } from '../dispatch.ts';
import { activationKernels } from './activations.ts';
import { adamwKernels } from './adamw.ts';
import { attentionKernels } from './attention.ts';
import { castKernels } from './cast.ts';
import { conditionKernels } from './conditions.ts';
import { crossAttentionKernels } from './cross-attention.ts';
import { conv2dKernels } from './conv2d.ts';
import { elementwiseKernels } from './elementwise.ts';
import { gatherKernels } from './gather.ts';
import { gatedResidualKernels } from './gated-residual.ts';
import { groupNormKernels } from './group-norm.ts';
import { layerNormModulateKernels } from './layer-norm-modulate.ts';
import { layerNormKernels } from './layer-norm.ts';
import { linearKernels } from './linear.ts';
import { matmul } from './matmul.ts';
import { meanSquaredErrorKernels } from './mean-squared-error.ts';
import { normsOfAllKernels } from './norms-of-all.ts';
import { philoxKernels } from './philox.ts';
import { piecewiseKernels } from './piecewise.ts';
import { rearrangeKernels } from './rearrange.ts';
import { reduceKernels } from './reduce.ts';
import { softmaxKernels } from './softmax.ts';
import { solverKernels } from './solvers.ts';
import { stateKernels } from './state.ts';
import { timestepEmbeddingKernels } from './timestep-embedding.ts';
import { upsampleNearestKernels } from './upsample-nearest.ts';

export const kernels: ReadonlyMap<string, Kernel> = new Map(
  Object.entries({
    ...activationKernels,
    ...adamwKernels,
    ...attentionKernels,
    ...castKernels,
    ...conditionKernels,
    ...crossAttentionKernels,
    ...conv2dKernels,
    ...elementwiseKernels,
    ...gatherKernels,
    ...gatedResidualKernels,
    ...groupNormKernels,
    ...layerNormKernels,
    ...layerNormModulateKernels,
    ...linearKernels,
    ...meanSquaredErrorKernels,
    ...normsOfAllKernels,
    ...philoxKernels,
    ...piecewiseKernels,
    ...rearrangeKernels,
    ...reduceKernels,
    ...softmaxKernels,
    ...solverKernels,
    ...stateKernels,
    ...timestepEmbeddingKernels,
    ...upsampleNearestKernels,
    matmul,
  }),
);
