// The settings of a run that begins without the package for Node.js, as config.json of any run has them.
import type { Precision } from '../backends/backend.ts';
import { valueError } from '../tensor/errors.ts';
import type { TrainingConfig } from '../train/settings.ts';
import type { DataInRun } from './data.ts';

/** What a run, and so its folder, may be called. */
export const runName: RegExp = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._ -]*$/u;

/** Beside what training knows of, what the command line does: its defaults. */
export interface KeptConfig extends TrainingConfig {
  readonly name: string;
  readonly data: DataInRun;
  readonly sinks: { readonly tensorboard: boolean };
  readonly backend: typeof backend;
  readonly stages: readonly never[];
  readonly growth: typeof growth;
}

const backend = {
  name: 'auto',
  threads: 'auto',
  isa: 'auto',
  tuning: 'auto',
  subgroupMatrices: false,
} as const;
const growth = { kernels: 'pseudo-inverse', moments: 'new' } as const;

/**
 * @param training as `completeTraining` makes it
 * @param name of the run
 * @param data `RunData.settings`
 * @param precision of the backend that trains it, so that it means the same where the run goes on
 * @throws RectiflowError where the name is none that a folder may have
 */
export function keptConfig(
  training: TrainingConfig,
  { name, data, precision }: Pick<KeptConfig, 'name' | 'data'> & { readonly precision: Precision },
): KeptConfig {
  if (!runName.test(name))
    throw valueError('a run', 'its name', 'letters, digits, dots, dashes, as in digits-2', name);
  const train = { ...training.train, precision };
  return { name, data, ...training, train, sinks: { tensorboard: true }, backend, stages: [], growth };
}
