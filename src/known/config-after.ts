import type { RunConfig } from '../config/config.ts';
import { readSteering } from '../runs/steering-events.ts';
import { configOfStep } from '../steering/course.ts';
import type { StoredCheckpoint } from '../train/run-store.ts';
import { configAt } from './stage-of.ts';

/**
 * The config that a run goes on with after a checkpoint: that of its stage, with what was changed while it trained.
 * @param run its folder
 * @param config of the whole run
 * @throws RectiflowError where the checkpoint's state is none, or it is not known what was changed
 */
export async function configAfter(
  run: string,
  config: RunConfig,
  saved: Pick<StoredCheckpoint, 'path' | 'step' | 'state'>,
): Promise<RunConfig> {
  return configOfStep(configAt(config, saved), await readSteering(run), saved.step + 1);
}
