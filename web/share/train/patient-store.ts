// A run whose checkpoints wait in memory where the browser has no room for them, until the visitor has made some.
import { RectiflowError } from '../../../src/tensor/errors.ts';
import type { BadStep } from '../../../src/train/bad-steps.ts';
import type {
  Checkpoint,
  OpenTensors,
  Retention,
  RunStore,
  StoredCheckpoint,
} from '../../../src/train/run-store.ts';

export type SaveAnswer = 'saveAgain' | 'doWithout';

export class PatientStore implements RunStore {
  readonly path: string;
  readonly badStepsPath: string;
  readonly #store: RunStore;
  readonly #onUnsaved: (step: number, problem: RectiflowError) => void;
  #answer: ((answer: SaveAnswer) => void) | undefined;

  /** @param onUnsaved told of a checkpoint that waits for an answer */
  constructor(store: RunStore, onUnsaved: (step: number, problem: RectiflowError) => void) {
    this.path = store.path;
    this.badStepsPath = store.badStepsPath;
    this.#store = store;
    this.#onUnsaved = onUnsaved;
  }

  /** What to do about the checkpoint that waits; nothing where none does. */
  answer(answer: SaveAnswer): void {
    this.#answer?.(answer);
    this.#answer = undefined;
  }

  async save(checkpoint: Checkpoint, retention: Retention): Promise<string> {
    for (;;)
      try {
        return await this.#store.save(checkpoint, retention);
      } catch (error) {
        if (!(error instanceof RectiflowError) || error.code !== 'file') throw error;
        const answer = new Promise<SaveAnswer>((resolve) => (this.#answer = resolve));
        this.#onUnsaved(checkpoint.step, error);
        if ((await answer) === 'doWithout') throw error;
      }
  }

  check(): Promise<void> {
    return this.#store.check();
  }

  mend(onNotice: (text: string) => void): Promise<void> {
    return this.#store.mend(onNotice);
  }

  latest(onDamaged?: (problem: RectiflowError) => void): Promise<StoredCheckpoint> {
    return this.#store.latest(onDamaged);
  }

  has(path: string): Promise<boolean> {
    return this.#store.has(path);
  }

  storeAverages(step: number, updates: number, averages: OpenTensors): Promise<void> {
    return this.#store.storeAverages(step, updates, averages);
  }

  dropLaterAverages(step: number): Promise<void> {
    return this.#store.dropLaterAverages(step);
  }

  noteBadStep(step: BadStep): Promise<void> {
    return this.#store.noteBadStep(step);
  }
}
