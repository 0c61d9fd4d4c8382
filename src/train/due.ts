import type { TrainingConfig } from './settings.ts';

/** Whether something that is done every so many steps is done after this one; 0 means never. */
export function isDue(step: number, every: number): boolean {
  return every > 0 && step % every === 0;
}

/** Whether the loss of samples that are kept out of training is measured, where there are any. */
export function isHeldOutDue(
  step: number,
  { train, heldOut }: Pick<TrainingConfig, 'train' | 'heldOut'>,
): boolean {
  return step === train.steps || (heldOut.count > 0 && isDue(step, heldOut.every));
}

/** Whether something is done after a step that reads its numbers, or its weights. */
export function isAnythingDue(
  step: number,
  config: Pick<TrainingConfig, 'train' | 'ema' | 'heldOut'>,
): boolean {
  const { train, ema } = config;
  const every = [train.logEvery, train.checkpointEvery, train.sampleEvery, ema.snapshotEvery];
  return isHeldOutDue(step, config) || every.some((each) => isDue(step, each));
}
