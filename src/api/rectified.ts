import { join } from 'node:path';
import type { ConfigInput } from '../config/config.ts';
import { resolveConfig } from '../config/resolve-config.ts';
import { readRun } from '../runs/run-folder.ts';
import { runError } from '../tensor/errors.ts';

/**
 * Refuses a run whose model does not say the velocity of straight paths.
 * @param what is asked of them: the end of a sentence about their paths
 * @throws RectiflowError where it learnt something else, or is no run
 */
export async function checkRectified(run: string, what: string): Promise<void> {
  const { config: recorded } = await readRun(run);
  const { flow, model } = resolveConfig(recorded as ConfigInput, { origin: join(run, 'config.json') });
  const { kind } = flow.objective;
  if (kind === 'rectified-flow' && model.kind !== 'autoencoder') return;
  const found =
    model.kind === 'autoencoder' ? 'is an autoencoder' : `was trained with flow.objective ${kind}`;
  throw runError(
    run,
    `${found}: it has no paths of rectified flow that ${what}`,
    'Give a run of rectified flow',
  );
}
