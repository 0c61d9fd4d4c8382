// A training that begins with the weights of the shared model.
import { checkpointOfShared } from '../../../src/kept/from-shared.ts';
import { filesAt, readShare } from '../../../src/share/read.ts';
import { conditioningOf } from '../../../src/train/conditioning.ts';
import { createModel } from '../../../src/train/create-model.ts';
import type { TabRun } from './tab-run.ts';

/**
 * Saves the checkpoint that such a training goes on after: that of step 0.
 * @param base below which the files of the shared model lie
 * @throws RectiflowError where they cannot be had
 */
export async function beginWithShared({ store, config }: TabRun, base: string): Promise<void> {
  const { manifest, weights } = await readShare(filesAt(base));
  const { text } = conditioningOf(config.model, manifest.data.tokenizer);
  const model = createModel(config.model, text);
  await store.save(checkpointOfShared({ config, manifest, weights, model }), config.train);
}
