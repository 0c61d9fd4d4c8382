// What is logged of a step: its numbers are read from the backend here alone, but for whether it counts.
import { type SamplerPosition, epochsOf } from '../data/sampler.ts';
import { isHeldOutDue } from './due.ts';
import type { Measurements } from './measurements.ts';
import type { StepMetrics } from './metrics.ts';
import type { PreparedTraining } from './prepare.ts';
import type { TrainingConfig } from './settings.ts';
import { learningRateAt } from './step-inputs.ts';
import type { LoggedStep } from './step-log.ts';
import { readStep } from './step-report.ts';

export interface DoneStep {
  readonly step: number;
  /** Steps up to it that changed the weights. */
  readonly updates: number;
  readonly position: SamplerPosition;
  /** That it was done with. */
  readonly config: TrainingConfig;
  /** Of its samples, by their sizes. */
  readonly losses: Pick<StepMetrics, 'lossBySize'> | undefined;
}

/** All ranks call it, before the next step. */
export async function measureStep(
  training: PreparedTraining,
  { insight, heldOut }: Measurements,
  { step, updates, position, config, losses }: DoneStep,
): Promise<LoggedStep> {
  const { executable, model, task, span, communicator, source, momentsFrom = 0 } = training;
  const rate = learningRateAt({ step, update: updates }, config, span);
  return {
    step,
    learningRate: rate,
    epoch: epochsOf(position, source),
    ...(span && { stage: span.index + 1 }),
    skipped: step - updates,
    ...losses,
    ...(await readStep(executable, model, task.told, communicator)),
    ...(await insight.measure(updates - momentsFrom, rate)),
    ...(isHeldOutDue(step, config) && (await heldOut?.evaluate())),
  };
}
