import { learningRate } from '../optim/schedule.ts';
import { averageWeights } from './averages.ts';
import type { StepInputs } from './compiled-step.ts';
import type { TrainingConfig } from './settings.ts';

/** Which step it is, and what depends on that. */
export interface StepNumbers {
  /** 1 for the first: randomness is a function of it. */
  readonly step: number;
  /** 1 for the first step that changes weights: schedules, averages and bias correction are functions of it. */
  readonly update: number;
  /** The index in the global batch of the first sample of this process; 0 by default. */
  readonly firstSample?: number | undefined;
  /** In fp16. */
  readonly lossScale?: number | undefined;
}

/** The inputs of a run's step beside its samples. */
export function stepInputs(
  config: TrainingConfig,
  { step, update, firstSample = 0, lossScale }: StepNumbers,
): StepInputs {
  return {
    step: Int32Array.of(step),
    firstSample: Int32Array.of(firstSample),
    update: Int32Array.of(update),
    learningRate: Float32Array.of(learningRateAt(update, config)),
    ...averageWeights(config.ema, update),
    ...(lossScale !== undefined && { lossScale: Float32Array.of(lossScale) }),
  };
}

/** The learning rate of an update. */
export function learningRateAt(update: number, { optimizer, train }: TrainingConfig): number {
  const { learningRate: peak, decay: kind, warmupSteps, floor } = optimizer;
  return learningRate(update, { kind, peak, warmupSteps, floor, totalSteps: train.steps });
}
