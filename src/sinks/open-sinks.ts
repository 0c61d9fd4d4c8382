import type { RunFolder } from '../runs/run-folder.ts';
import { RectiflowError } from '../tensor/errors.ts';
import type { KeyOwner } from './key-owner.ts';
import type { MetricSink } from './metric-sink.ts';
import { MlflowRun } from './mlflow.ts';
import { RemoteId } from './remote-id.ts';
import { type RemoteOptions, type RemoteRun, RemoteSink } from './remote-sink.ts';
import { mlflowCredentials, wandbCredentials } from './secrets.ts';
import type { SinksConfig } from './settings.ts';
import { tensorboardSink } from './tensorboard.ts';
import { WandbRun } from './wandb.ts';

/** Of a run. */
export interface SinksContext extends KeyOwner, Pick<RemoteOptions, 'onNotice' | 'logged'> {
  readonly folder: RunFolder;
}

/**
 * The sinks that a config asks for. One whose key is missing, or must not go to its server, is left out, and that is told: a run
 * that is resumed goes on without.
 */
export function openSinks(
  { tensorboard, wandb, mlflow }: SinksConfig,
  { folder, onNotice, logged, ...owner }: SinksContext,
): MetricSink[] {
  const runs: (() => RemoteRun)[] = [];
  if (wandb)
    runs.push(() => new WandbRun(wandb, wandbCredentials(wandb, owner), new RemoteId(folder.path, 'wandb')));
  if (mlflow) {
    const id = new RemoteId(folder.path, 'mlflow');
    runs.push(() => new MlflowRun(mlflow, mlflowCredentials(mlflow, owner), id, onNotice));
  }
  const remote = runs.flatMap((open): MetricSink[] => {
    try {
      return [new RemoteSink(open(), { onNotice, ...(logged && { logged }) })];
    } catch (error) {
      if (!(error instanceof RectiflowError)) throw error;
      onNotice(`${error.message} Training goes on without it.`);
      return [];
    }
  });
  return [...(tensorboard ? [tensorboardSink(folder, onNotice)] : []), ...remote];
}
