import type { Module } from '../nn/module.ts';
import { blocksOf } from './blocks.ts';
import type { CompiledStep } from './compiled-step.ts';
import type { StepMetrics } from './metrics.ts';
import type { ToldOfSamples } from './run-task.ts';

const reported = ['loss', 'gradNorm', 'gradNorms'] as const;

/** Reads what the last run of a training step put out. */
export async function readStep(
  executable: CompiledStep,
  model: Module,
  told: ToldOfSamples,
): Promise<Pick<StepMetrics, 'loss' | 'gradNorm' | 'gradNormByBlock'> & Partial<StepMetrics>> {
  const { loss, gradNorm, gradNorms, ...ofSamples } = await executable.read([...reported, ...told.names]);
  return {
    loss: loss![0]!,
    gradNorm: gradNorm![0]!,
    ...told.metrics(ofSamples),
    gradNormByBlock: Object.fromEntries(blocksOf(model).map((block, i) => [block, gradNorms![i]!])),
  };
}
