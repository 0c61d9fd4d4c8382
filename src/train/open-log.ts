import { basename } from 'node:path';
import type { RunFolder } from '../runs/run-folder.ts';
import type { MetricSink } from '../sinks/metric-sink.ts';
import { openSinks } from '../sinks/open-sinks.ts';
import type { RemoteEvent } from '../sinks/remote-sink.ts';
import { Sinks } from '../sinks/sinks.ts';
import { loggedEvents } from './logged-events.ts';
import type { TrainObserver } from './metrics.ts';
import type { PreparedTraining } from './prepare.ts';
import { StepLog } from './step-log.ts';
import { stateOf } from './trainer-state.ts';

/** Where numbers go, as the program that trains has it. */
export interface OwnSinks {
  /** Where metrics go, beside the sinks that the config names. */
  readonly sinks?: readonly MetricSink[] | undefined;
  /**
   * Addresses, as in https://wandb.example.org, that may be sent the keys of W&B and MLflow in the environment, beside those that
   * WANDB_BASE_URL and MLFLOW_TRACKING_URI name. A config can choose among them, and name no other.
   */
  readonly sendKeysTo?: readonly string[] | undefined;
}

/** The log of a run, where it goes on. */
export async function openLog(
  { config, checkpoint }: PreparedTraining,
  folder: RunFolder,
  observer: TrainObserver,
  { sinks = [], sendKeysTo }: OwnSinks,
): Promise<StepLog> {
  const step = checkpoint?.step ?? 0;
  const { seconds } = stateOf(checkpoint);
  const { batchSize } = config.train;
  let log: StepLog | undefined;
  const onNotice = (text: string): void => {
    observer.onNotice?.(text);
    folder.note(log?.step ?? step, text);
  };
  const name = basename(folder.path);
  const run = { name, config: { ...config, name }, step };
  const logged = (last: number): Promise<RemoteEvent[]> => loggedEvents(folder, last);
  const configured = openSinks(config.sinks, { folder, onNotice, logged, sendKeysTo });
  const all = new Sinks([...configured, ...sinks], run, { onNotice });
  try {
    log = await StepLog.open({ folder, sinks: all, batchSize, step, seconds, onNotice });
    return log;
  } catch (error) {
    await all.close('failed');
    throw error;
  }
}
