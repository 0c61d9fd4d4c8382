import { isDeepStrictEqual } from 'node:util';
import type { Pace } from '../../tensor/pace.ts';
import type { Communicator } from '../../train/ranks/communicator.ts';
import type { Checkpoint, OpenTensors, Retention, RunStore } from '../../train/run-store.ts';
import { filesOf } from '../../kept/layout.ts';
import { type SavedCheckpoint, openCheckpoint } from '../checkpoint.ts';
import { type AveragesOrder, writeOrderedAverages } from './averages-pieces.ts';
import { type PiecesOrder, writeOrdered } from './checkpoint-pieces.ts';
import { notShared, seeing } from './shared-folder.ts';
import { type StoreWork, storeWork } from './store-work.ts';

/** How people call a run. */
type RunNames = Pick<RunStore, 'path' | 'badStepsPath'>;

/** The store of a rank that does not hold the run's folder: it writes its pieces of what rank 0 saves, and nothing else. */
export class OtherRankStore implements RunStore {
  readonly path: string;
  readonly badStepsPath: string;
  readonly #work: StoreWork;

  /** @param names as rank 0 has them */
  constructor({ path, badStepsPath }: RunNames, communicator: Communicator) {
    this.path = path;
    this.badStepsPath = badStepsPath;
    this.#work = storeWork(communicator);
  }

  save(checkpoint: Checkpoint, _retention: Retention, pace?: Pace): Promise<string> {
    const files = filesOf(checkpoint);
    return this.#work.saving.follow((order) => writeOrdered(order as PiecesOrder, files, pace));
  }

  async abandon(problem: Error): Promise<void> {
    await this.#work.saving.follow(() => Promise.reject(problem)).catch(() => {});
  }

  async latest(): Promise<SavedCheckpoint> {
    let saved: SavedCheckpoint;
    await this.#work.reading.follow(async (order) => {
      saved = await openSame(order as Pick<SavedCheckpoint, 'path' | 'files'>);
    });
    return saved!;
  }

  has(): Promise<boolean> {
    return this.#work.reading.follow(async () => {});
  }

  storeAverages(_step: number, _updates: number, averages: OpenTensors): Promise<void> {
    return this.#work.averaging.follow((order) => writeOrderedAverages(order as AveragesOrder, averages));
  }

  // The rest is done, and found to be wrong, by rank 0.

  async check(): Promise<void> {}

  async mend(): Promise<void> {}

  async dropLaterAverages(): Promise<void> {}

  async noteBadStep(): Promise<void> {}

  /** Lets go of the other ranks. */
  close(): void {
    for (const work of Object.values(this.#work)) work.close();
  }
}

/** A checkpoint that rank 0 found to be intact. */
async function openSame({ path, files }: Pick<SavedCheckpoint, 'path' | 'files'>): Promise<SavedCheckpoint> {
  const saved = await seeing(path, () => openCheckpoint(path));
  if (!isDeepStrictEqual(saved.files, files))
    throw notShared(path, 'is another checkpoint than rank 0 sees there');
  return saved;
}
