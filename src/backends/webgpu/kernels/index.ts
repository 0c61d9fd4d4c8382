// All kernels, by the names of their ops. What is not here is lowered to what is.
import type { Kernel } from '../dispatch.ts';
import { activationKernels } from './activations.ts';
import { adamwKernels } from './adamw.ts';
import { castKernels } from './cast.ts';
import { conditionKernels } from './conditions.ts';
import { elementwiseKernels } from './elementwise.ts';
import { gatherKernels } from './gather.ts';
import { linearKernels } from './linear.ts';
import { matmul } from './matmul.ts';
import { normsOfAllKernels } from './norms-of-all.ts';
import { philoxKernels } from './philox.ts';
import { rearrangeKernels } from './rearrange.ts';
import { reduceKernels } from './reduce.ts';
import { solverKernels } from './solvers.ts';
import { stateKernels } from './state.ts';

export const kernels: ReadonlyMap<string, Kernel> = new Map(
  Object.entries({
    ...activationKernels,
    ...adamwKernels,
    ...castKernels,
    ...conditionKernels,
    ...elementwiseKernels,
    ...gatherKernels,
    ...linearKernels,
    ...normsOfAllKernels,
    ...philoxKernels,
    ...rearrangeKernels,
    ...reduceKernels,
    ...solverKernels,
    ...stateKernels,
    matmul,
  }),
);
