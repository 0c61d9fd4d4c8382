import { basename } from 'node:path';
import type { RunFolder } from '../runs/run-folder.ts';
import type { MetricSink } from '../sinks/metric-sink.ts';
import { openSinks } from '../sinks/open-sinks.ts';
import { Sinks } from '../sinks/sinks.ts';
import type { TrainObserver } from './metrics.ts';
import type { PreparedTraining } from './prepare.ts';
import { StepLog } from './step-log.ts';
import { stateOf } from './trainer-state.ts';

/** The log of a run, where it goes on. @param sinks beside those of the config */
export async function openLog(
  { config, checkpoint }: PreparedTraining,
  folder: RunFolder,
  observer: TrainObserver,
  sinks: readonly MetricSink[],
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
  const all = new Sinks([...openSinks(config.sinks, folder, onNotice), ...sinks], run, { onNotice });
  try {
    log = await StepLog.open({ folder, sinks: all, batchSize, step, seconds, onNotice });
    return log;
  } catch (error) {
    await all.close('failed');
    throw error;
  }
}
