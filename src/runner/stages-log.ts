import type { RunLog } from '../train/run-log.ts';
import type { RunFolderLog } from './run-folder-log.ts';

/** The log of all stages of a run: one file and one run of each sink, which the end of a stage does not close. */
export class StagesLog {
  #log: RunFolderLog | undefined;
  #isClosed = false;

  /** Opens it, where that was not done by the stage before. */
  async open(open: () => Promise<RunFolderLog>): Promise<RunFolderLog> {
    this.#log ??= await open();
    return this.#log;
  }

  /** @param isLast whether no stage comes after the one that is logged */
  during(log: RunFolderLog, isLast: boolean): RunLog {
    return {
      append: (metrics) => log.append(metrics),
      image: (step, tag, path) => log.image(step, tag, path),
      notice: (step, text) => log.notice(step, text),
      goBack: (step) => log.goBack(step),
      sync: () => log.sync(),
      close: async (outcome) => {
        if (outcome === 'finished' && !isLast) return;
        this.#isClosed = true;
        await log.close(outcome);
      },
    };
  }

  /** After an error, also between two stages. */
  async fail(): Promise<void> {
    if (!this.#isClosed) await this.#log?.close('failed');
    this.#isClosed = true;
  }
}
