import { RectiflowError } from '../tensor/errors.ts';

/** How the learning rate depends on the step. Steps are optimizer steps, whatever the batch or the number of machines. */
export interface LearningRateSchedule {
  readonly kind: 'cosine' | 'linear' | 'constant';
  /** The learning rate after the warm-up. */
  readonly peak: number;
  /** Steps over which the rate rises linearly; the step of this number is the first at the peak. 0: no warm-up. */
  readonly warmupSteps: number;
  /** The step at which the rate reaches its floor. */
  readonly totalSteps: number;
  /** The last learning rate, as a fraction of the peak. */
  readonly floor: number;
}

/**
 * The learning rate of a step, in closed form, so that a resumed run needs nothing but the step:
 *
 *     step <= warmup:  peak * step / warmup
 *     constant:        peak
 *     cosine:          peak * (floor + (1 - floor) * (1 + cos(pi * u)) / 2),  u = (step - warmup) / (total - warmup)
 *     linear:          peak * (floor + (1 - floor) * (1 - u))
 *
 * with u at most 1: a run that goes on beyond `totalSteps` stays at the floor (cosine: Loshchilov & Hutter 2017, eq. 5).
 * @param step 1 for the first step
 */
export function learningRate(step: number, schedule: LearningRateSchedule): number {
  const { kind, peak, warmupSteps, totalSteps, floor } = schedule;
  if (step < warmupSteps) return (peak * step) / warmupSteps;
  if (kind === 'constant' || step === warmupSteps) return peak;
  const progress = Math.min(1, (step - warmupSteps) / (totalSteps - warmupSteps));
  if (kind === 'linear') return peak * (floor + (1 - floor) * (1 - progress));
  return peak * (floor + ((1 - floor) * (1 + Math.cos(Math.PI * progress))) / 2);
}

/** @throws RectiflowError that names the field, what it must be and what it is */
export function checkSchedule({ peak, warmupSteps, totalSteps, floor }: LearningRateSchedule): void {
  const wrong = (field: string, wanted: string, got: number): RectiflowError =>
    new RectiflowError('config', `learning rate: ${field} must be ${wanted}, got ${got}`);
  if (!(peak > 0 && Number.isFinite(peak))) throw wrong('peak', 'a positive number', peak);
  if (!Number.isSafeInteger(totalSteps) || totalSteps < 1) {
    throw wrong('totalSteps', 'a positive integer', totalSteps);
  }
  if (!Number.isSafeInteger(warmupSteps) || warmupSteps < 0 || warmupSteps > totalSteps) {
    throw wrong('warmupSteps', `an integer from 0 to totalSteps = ${totalSteps}`, warmupSteps);
  }
  if (!(floor >= 0 && floor <= 1)) throw wrong('floor', 'a fraction of the peak, from 0 to 1', floor);
}
