import type { RunFolder } from '../runs/run-folder.ts';
import type { MetricSink } from './metric-sink.ts';
import { MlflowRun } from './mlflow.ts';
import { RemoteId } from './remote-id.ts';
import { RemoteSink } from './remote-sink.ts';
import { type Environment, mlflowCredentials, wandbCredentials } from './secrets.ts';
import type { SinksConfig } from './settings.ts';
import { tensorboardSink } from './tensorboard.ts';
import { WandbRun } from './wandb.ts';

/** The sinks that a config asks for. */
export function openSinks(
  { tensorboard, wandb, mlflow }: SinksConfig,
  folder: RunFolder,
  onNotice: (text: string) => void,
  environment: Environment = process.env,
): MetricSink[] {
  const sinks: MetricSink[] = tensorboard ? [tensorboardSink(folder, onNotice)] : [];
  if (wandb) {
    const run = new WandbRun(wandb, () => wandbCredentials(environment), new RemoteId(folder.path, 'wandb'));
    sinks.push(new RemoteSink(run, { onNotice }));
  }
  if (mlflow) {
    const id = new RemoteId(folder.path, 'mlflow');
    const run = new MlflowRun(mlflow, mlflowCredentials(environment), id, onNotice);
    sinks.push(new RemoteSink(run, { onNotice }));
  }
  return sinks;
}
