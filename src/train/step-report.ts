import type { Module } from '../nn/module.ts';
import { blocksOf } from './blocks.ts';
import type { CompiledStep } from './compiled-step.ts';
import type { StepMetrics } from './metrics.ts';
import { lossByTime } from './step-outputs.ts';

const reported = ['loss', 'gradNorm', 'gradNorms', 'losses', 'times'] as const;

/** Reads what the last run of a training step put out. */
export async function readStep(
  executable: CompiledStep,
  model: Module,
): Promise<Pick<StepMetrics, 'loss' | 'gradNorm' | 'lossByTime' | 'gradNormByBlock'>> {
  const { loss, gradNorm, gradNorms, losses, times } = await executable.read(reported);
  return {
    loss: loss[0]!,
    gradNorm: gradNorm[0]!,
    lossByTime: lossByTime(losses, times),
    gradNormByBlock: Object.fromEntries(blocksOf(model).map((block, i) => [block, gradNorms[i]!])),
  };
}
