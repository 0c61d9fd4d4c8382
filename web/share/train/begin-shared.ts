// A training that begins with the weights of the shared model.
import { filesAt, readShare } from '../../../src/share/read.ts';
import { createModel } from '../../../src/train/create-model.ts';
import { optimizersOf } from '../../../src/train/run-program.ts';
import type { RunStore } from '../../../src/train/run-store.ts';
import type { TrainingConfig } from '../../../src/train/settings.ts';
import { zeroSlots } from '../../../src/train/zero-slots.ts';

/**
 * Saves the checkpoint that such a training goes on after: that of step 0.
 * @param base below which the files of the shared model lie
 * @throws RectiflowError where they cannot be had
 */
export async function beginWithShared(store: RunStore, config: TrainingConfig, base: string): Promise<void> {
  const { weights } = await readShare(filesAt(base));
  const model = createModel(config.model);
  const optimizer = zeroSlots(model, optimizersOf(config.optimizer));
  const state = { position: { epoch: 0, offset: 0 }, seconds: 0 };
  await store.save({ model: weights, ema: weights, optimizer, step: 0, state }, config.train);
}
