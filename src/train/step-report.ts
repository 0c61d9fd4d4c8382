import type { Model } from '../models/model.ts';
import { blocksOf } from './blocks.ts';
import type { CompiledStep } from './compiled-step.ts';
import type { StepMetrics } from './metrics.ts';
import { lossByTime } from './step-outputs.ts';

/** Reads what the last run of a training step put out. */
export async function readStep(
  executable: CompiledStep,
  model: Model,
): Promise<Pick<StepMetrics, 'loss' | 'gradNorm' | 'lossByTime' | 'gradNormByBlock'>> {
  const [loss] = await executable.read('loss');
  const [gradNorm] = await executable.read('gradNorm');
  const norms = await executable.read('gradNorms');
  return {
    loss: loss!,
    gradNorm: gradNorm!,
    lossByTime: lossByTime(await executable.read('losses'), await executable.read('times')),
    gradNormByBlock: Object.fromEntries(blocksOf(model).map((block, i) => [block, norms[i]!])),
  };
}
