// The ops that kernels are bound for, by name. All others are decomposed, or computed by their plain implementations.
import type { OpName } from '../../../ops/registry.ts';
import type { Kernel } from './kernel.ts';
import { linear, linearGatedResidual, linearGradInput, linearGradParams } from './linear.ts';
import { matmul } from './matmul.ts';

export type { Kernel, KernelName, Kernels, Places } from './kernel.ts';

const byName: Partial<Record<OpName, Kernel>> = {
  matmul,
  linear,
  linearGatedResidual,
  linearGradInput,
  linearGradParams,
};

export const kernels: ReadonlyMap<string, Kernel> = new Map(Object.entries(byName));
