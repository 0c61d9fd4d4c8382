import type { StoredCheckpoint } from './run-store.ts';

/**
 * A part of a run's steps that is trained with a model of its own size, after which another goes on. The steps are those of the whole
 * run: they are counted on, and so are updates, averages and the schedule.
 */
export interface StageSpan {
  /** From 0. */
  readonly index: number;
  /** How many stages the run has. */
  readonly count: number;
  /** The last step of the stage before; 0 for the first. */
  readonly after: number;
  /** Its own last step. */
  readonly until: number;
  /** The last step of each stage of the run: their checkpoints stay. */
  readonly ends: readonly number[];
  /** Steps in which the learning rate rises once more; 0 for the first stage, whose warm-up is that of the run. */
  readonly warmupSteps: number;
  /** What the stages after it take, as a number of steps of this one. */
  readonly later: number;
  /** A checkpoint of the run as this stage goes on after it: that of the stage before is made larger. */
  adapt(saved: StoredCheckpoint): StoredCheckpoint;
}

/** By how much a stage that has just begun slows the schedule: from near 0 to 1, as its first warm-up does. */
export function warmUpOf(step: number, span: Pick<StageSpan, 'after' | 'warmupSteps'> | undefined): number {
  if (span === undefined || step - span.after >= span.warmupSteps) return 1;
  return (step - span.after) / span.warmupSteps;
}
