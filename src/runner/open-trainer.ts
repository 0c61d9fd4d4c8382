import type { RunFolder } from '../runs/run-folder.ts';
import type { TrainObserver } from '../train/metrics.ts';
import type { RunLog } from '../train/run-log.ts';
import type { RunStore } from '../train/run-store.ts';
import { Trainer } from '../train/trainer.ts';
import { orderedFiles } from './ordered-files.ts';
import { pictureFiles } from './picture-files.ts';
import type { PreparedRun } from './prepare-run.ts';
import { type OwnSinks, openLog } from './run-folder-log.ts';
import { RunSteering } from './run-steering.ts';
import type { Steering } from '../steering/steering.ts';

/** Where a run is kept. */
export interface KeptRun {
  readonly store: RunStore;
  /** Where this process holds it: only that one writes its log and its pictures. */
  readonly folder?: RunFolder | undefined;
  /** Where it is steered from; by default, whoever has the folder. */
  readonly steering?: Steering | undefined;
}

/**
 * A trainer whose run is kept in a folder, which the caller closes.
 * @param own beside the sinks of the config
 * @param opened the log of the run, where it is open already
 */
export async function openTrainer(
  training: PreparedRun,
  { store, folder, steering: given }: KeptRun,
  observer: TrainObserver = {},
  own: OwnSinks = {},
  opened?: RunLog,
): Promise<Trainer> {
  if (folder === undefined) return Trainer.open(training, { store, observer });
  const log = opened ?? (await openLog(training, folder, observer, own));
  let steering: Steering;
  try {
    const onNotice = (text: string, step: number): void => {
      observer.onNotice?.(text);
      log.notice?.(step, text);
    };
    steering = given ?? (await RunSteering.open(folder, training, onNotice));
  } catch (error) {
    await log.close?.('failed');
    throw error;
  }
  const samples = {
    ...pictureFiles(folder),
    writeOrdered: orderedFiles(folder, training.config, training.source),
  };
  return Trainer.open(training, { store, log, samples, steering, observer });
}
