import type { TrainingConfig } from './settings.ts';

/** Whether something that is done every so many steps is done after this one; 0 means never. */
export function isDue(step: number, every: number): boolean {
  return every > 0 && step % every === 0;
}

/** Whether something is done after a step that reads its numbers, or its weights. */
export function isAnythingDue(step: number, { train, ema }: Pick<TrainingConfig, 'train' | 'ema'>): boolean {
  const every = [train.logEvery, train.checkpointEvery, train.sampleEvery, ema.snapshotEvery];
  return every.some((each) => isDue(step, each));
}
