import type { RunFolder } from '../runs/run-folder.ts';
import type { TrainObserver } from '../train/metrics.ts';
import type { RunLog } from '../train/run-log.ts';
import type { RunStore } from '../train/run-store.ts';
import { Trainer } from '../train/trainer.ts';
import { pictureFiles } from './picture-files.ts';
import type { PreparedRun } from './prepare-run.ts';
import { type OwnSinks, openLog } from './run-folder-log.ts';

/** Where a run is kept. */
export interface KeptRun {
  readonly store: RunStore;
  /** Where this process holds it: only that one writes its log and its pictures. */
  readonly folder?: RunFolder | undefined;
}

/**
 * A trainer whose run is kept in a folder, which the caller closes.
 * @param own beside the sinks of the config
 * @param opened the log of the run, where it is open already
 */
export async function openTrainer(
  training: PreparedRun,
  { store, folder }: KeptRun,
  observer: TrainObserver = {},
  own: OwnSinks = {},
  opened?: RunLog,
): Promise<Trainer> {
  if (folder === undefined) return Trainer.open(training, { store, observer });
  const log = opened ?? (await openLog(training, folder, observer, own));
  return Trainer.open(training, { store, log, samples: pictureFiles(folder), observer });
}
