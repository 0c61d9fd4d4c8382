import type { RunFolder } from '../runs/run-folder.ts';
import type { TrainObserver } from '../train/metrics.ts';
import type { RunLog } from '../train/run-log.ts';
import { Trainer } from '../train/trainer.ts';
import { pictureFiles } from './picture-files.ts';
import type { PreparedRun } from './prepare-run.ts';
import { type OwnSinks, openLog } from './run-folder-log.ts';

/**
 * A trainer whose run is kept in a folder.
 * @param folder is held by this process; the caller closes it
 * @param own beside the sinks of the config
 * @param opened the log of the run, where it is open already
 */
export async function openTrainer(
  training: PreparedRun,
  folder: RunFolder,
  observer: TrainObserver = {},
  own: OwnSinks = {},
  opened?: RunLog,
): Promise<Trainer> {
  const log = opened ?? (await openLog(training, folder, observer, own));
  return Trainer.open(training, { store: folder, log, samples: pictureFiles(folder), observer });
}
