import { learningRate } from '../optim/schedule.ts';
import { averageWeights } from './averages.ts';
import type { StepInputs } from './compiled-step.ts';
import type { TrainingConfig } from './settings.ts';
import { type StageSpan, warmUpOf } from './stage-span.ts';

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

/** What of a run the numbers of a step depend on beside its config. */
export interface StepsOfRun {
  readonly span?: StageSpan | undefined;
  /**
   * Updates after which the optimizer's moments were zero, which its bias correction counts from: 0 by default; below that in a run that
   * began with the moments of another.
   */
  readonly momentsFrom?: number | undefined;
}

/** The inputs of a run's step beside its samples. */
export function stepInputs(
  config: TrainingConfig,
  { step, update, firstSample = 0, lossScale }: StepNumbers,
  { span, momentsFrom = 0 }: StepsOfRun = {},
): StepInputs {
  return {
    step: Int32Array.of(step),
    firstSample: Int32Array.of(firstSample),
    update: Int32Array.of(update - momentsFrom),
    learningRate: Float32Array.of(learningRateAt({ step, update }, config, span)),
    ...averageWeights(config.ema, update),
    ...(lossScale !== undefined && { lossScale: Float32Array.of(lossScale) }),
  };
}

/** The learning rate of an update: that of the run's schedule, which a stage that begins warms up once more. */
export function learningRateAt(
  { step, update }: Pick<StepNumbers, 'step' | 'update'>,
  { optimizer, train }: TrainingConfig,
  span?: StageSpan,
): number {
  const { learningRate: peak, decay: kind, warmupSteps, floor } = optimizer;
  const rate = learningRate(update, { kind, peak, warmupSteps, floor, totalSteps: train.steps });
  return rate * warmUpOf(step, span);
}
