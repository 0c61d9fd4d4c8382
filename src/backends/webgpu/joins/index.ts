// What this backend makes of a lowered program before it is bound: the same numbers of fewer nodes.
import { type Program, oncePerProgram } from '../../../program/index.ts';
import type { Node } from '../../../tensor/tensor.ts';
import type { Kernel } from '../dispatch.ts';
import { kernels } from '../kernels/index.ts';
import { joinGatedGradients } from './gated-gradients.ts';
import { isJoined } from './joined.ts';
import { keepSmallValues } from './kept-values.ts';
import { joinModulationGradients } from './modulation-gradients.ts';
import { joinModulations } from './modulations.ts';
import { joinNorms } from './norms.ts';
import { roundWeightsOnce } from './rounded-weights.ts';

const passes: readonly ((program: Program) => Program)[] = [
  keepSmallValues,
  joinModulations,
  joinGatedGradients,
  joinModulationGradients,
  joinNorms,
  roundWeightsOnce,
];

export const joinNodes: (program: Program) => Program = oncePerProgram((program) =>
  passes.reduce((joined, pass) => pass(joined), program),
);

/** What makes dispatches of a node; undefined where nothing does. */
export function kernelOf({ op }: Node): Kernel | undefined {
  return isJoined(op) ? op.kernel : kernels.get(op.name);
}
