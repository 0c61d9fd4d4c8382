// What a run makes on its way and can do without.
import { RectiflowError } from '../tensor/errors.ts';
import type { ShownSamples } from './gallery.ts';
import type { Measurements } from './measurements.ts';
import type { TrainObserver } from './metrics.ts';
import type { PreparedTraining } from './prepare.ts';
import type { RunStore } from './run-store.ts';
import type { TrainingConfig } from './settings.ts';
import { openPowerAverages } from './snapshot.ts';
import type { StepLog } from './step-log.ts';

interface DispensableOptions {
  readonly training: PreparedTraining;
  readonly store: RunStore;
  readonly log: StepLog;
  readonly observer: TrainObserver & Required<Pick<TrainObserver, 'onNotice'>>;
  readonly measurements: Measurements;
}

/** Where something of it cannot be written, that is told, and training goes on. All ranks call what is in it. */
export class Dispensable {
  readonly #options: DispensableOptions;

  constructor(options: DispensableOptions) {
    this.#options = options;
  }

  /** For averages of other lengths, after the run. @param updates steps that changed the weights */
  async storeAverages(step: number, updates: number): Promise<void> {
    const { training, store, observer } = this.#options;
    const averages = openPowerAverages(training);
    await writeOrTell(store, observer.onNotice, () => store.storeAverages(step, updates, averages));
  }

  /** Shows samples of the weights as they are now. @param config whose settings of samples they are made with */
  async sample(step: number, config: TrainingConfig, signal: AbortSignal | undefined): Promise<void> {
    const { store, log, observer, measurements } = this.#options;
    const write = async (): Promise<ShownSamples | undefined> =>
      measurements.gallery?.write(step, config, signal);
    const shown = await writeOrTell(store, observer.onNotice, write);
    if (shown === undefined) return;
    for (const [tag, path] of Object.entries(shown.pictures)) log.writeImage(step, tag, path);
    observer.onSamples?.(step, shown.path);
  }
}

/** Writes what a run can do without: where it cannot be written, on a full disk, say, that is told. @throws where the run itself is gone */
async function writeOrTell<T>(
  store: RunStore,
  onNotice: (text: string) => void,
  write: () => Promise<T>,
): Promise<T | undefined> {
  await store.mend(onNotice);
  try {
    return await write();
  } catch (error) {
    if (!(error instanceof RectiflowError) || error.code !== 'file') throw error;
    await store.check();
    onNotice(error.message);
    return undefined;
  }
}
