import { resolve } from 'node:path';
import type { Pace } from '../../tensor/pace.ts';
import type { RectiflowError } from '../../tensor/errors.ts';
import type { BadStep } from '../../train/bad-steps.ts';
import type { Communicator } from '../../train/ranks/communicator.ts';
import type { Checkpoint, OpenTensors, Retention, RunStore } from '../../train/run-store.ts';
import type { SavedCheckpoint } from '../checkpoint.ts';
import type { RunFolder } from '../run-folder.ts';
import { writeAveragesTogether } from './averages-pieces.ts';
import { writeTogether } from './checkpoint-pieces.ts';
import { type StoreWork, storeWork } from './store-work.ts';

/** The store of rank 0, which holds the folder of a run that several ranks train: what is in it the other ranks help to write. */
export class FirstRankStore implements RunStore {
  readonly #folder: RunFolder;
  readonly #work: StoreWork;

  constructor(folder: RunFolder, communicator: Communicator) {
    this.#folder = folder;
    this.#work = storeWork(communicator);
  }

  get path(): string {
    return this.#folder.path;
  }

  get badStepsPath(): string {
    return this.#folder.badStepsPath;
  }

  check(): Promise<void> {
    return this.#folder.check();
  }

  mend(onNotice: (text: string) => void): Promise<void> {
    return this.#folder.mend(onNotice);
  }

  save(checkpoint: Checkpoint, retention: Retention, pace?: Pace): Promise<string> {
    return this.#work.saving.lead((together) =>
      this.#folder.save(checkpoint, retention, pace, writeTogether(together)),
    );
  }

  async abandon(problem: Error): Promise<void> {
    await this.#work.saving.lead(() => Promise.reject(problem)).catch(() => {});
  }

  async latest(onDamaged?: (problem: RectiflowError) => void): Promise<SavedCheckpoint> {
    let saved: SavedCheckpoint;
    await this.#work.reading.lead(async (together) => {
      saved = await this.#folder.latest(onDamaged);
      await together({ path: resolve(saved.path), files: saved.files }, async () => {});
    });
    return saved!;
  }

  has(path: string): Promise<boolean> {
    return this.#work.reading.lead(() => this.#folder.has(path));
  }

  storeAverages(step: number, updates: number, averages: OpenTensors): Promise<void> {
    return this.#work.averaging.lead((together) =>
      this.#folder.storeAverages(step, updates, averages, writeAveragesTogether(together)),
    );
  }

  dropLaterAverages(step: number): Promise<void> {
    return this.#folder.dropLaterAverages(step);
  }

  noteBadStep(step: BadStep): Promise<void> {
    return this.#folder.noteBadStep(step);
  }

  /** Lets go of the other ranks; the folder is closed by who opened it. */
  close(): void {
    for (const work of Object.values(this.#work)) work.close();
  }
}
