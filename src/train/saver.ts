// Checkpoints that are written while training goes on.
import { describeNonFinite } from '../tensor/finite.ts';
import { Pace } from '../tensor/pace.ts';
import { RectiflowError } from '../tensor/errors.ts';
import type { TrainConfig } from './settings.ts';
import type { TrainObserver } from './metrics.ts';
import type { CheckpointNotes } from './checkpoint-notes.ts';
import type { Retention, RunStore } from './run-store.ts';
import type { Snapshot } from './snapshot.ts';

export interface SaverOptions {
  readonly store: Pick<RunStore, 'save' | 'abandon'>;
  readonly snapshot: Snapshot;
  readonly train: Retention & Pick<TrainConfig, 'steps' | 'checkpointEvery'>;
  readonly observer: TrainObserver;
  /** Flushes what must not be behind the checkpoint: the logs. */
  readonly flush: () => Promise<void>;
  /** The checkpoint that the run goes on after. */
  readonly saved?: LastCheckpoint | undefined;
}

export interface LastCheckpoint {
  readonly step: number;
  readonly path: string;
}

/**
 * The share of the time in which a checkpoint is hashed and written beside training. Every thread of a step can have to wait
 * for the one that this delays, so that steps take longer by as much; what the system does to flush files comes on top.
 */
const SHARE = 0.015;
/** Milliseconds of waiting for a checkpoint from which on one may want to do something about it. */
const NOTABLE_WAIT = 1000;

/** Saves one checkpoint at a time. Where the snapshot is a copy, training stops for that alone. */
export class Saver {
  readonly #options: SaverOptions;
  #saved: LastCheckpoint | undefined;
  #writing:
    | { readonly step: number; readonly pace: Pace | undefined; readonly done: Promise<void> }
    | undefined;
  #hasToldOfWait = false;

  constructor(options: SaverOptions) {
    this.#options = options;
    this.#saved = options.saved;
  }

  /** The last checkpoint that is whole and on the disk. */
  get saved(): LastCheckpoint | undefined {
    return this.#saved;
  }

  get isWriting(): boolean {
    return this.#writing !== undefined;
  }

  /**
   * Copies the state, and writes the copy while training goes on; without a copy, waits until the state is written. Where writing
   * fails, a notice says so and nothing else happens. Waits for the save before, if it is still going on.
   */
  async begin(notes: CheckpointNotes): Promise<void> {
    await this.#makeRoom();
    const { snapshot } = this.#options;
    await snapshot.take();
    const pace = snapshot.isCopy ? new Pace(SHARE) : undefined;
    const done = this.#write(notes, pace)
      .catch((error: Error) => this.#tellFailure(notes.step, error))
      .then(() => {
        this.#writing = undefined;
      });
    this.#writing = { step: notes.step, pace, done };
    if (!snapshot.isCopy) await done;
  }

  /**
   * As `begin`, unless that step is saved already.
   * @param mayBe whether its state may be saved
   * @returns whether it is saved, or is being
   */
  async beginOnce(step: number, mayBe: boolean, notes: () => Promise<CheckpointNotes>): Promise<boolean> {
    // Of ranks, all know by then whether it was saved.
    await this.settled();
    if (this.#saved?.step === step) return true;
    if (mayBe) await this.begin(await notes());
    return mayBe;
  }

  /**
   * Saves, and waits until the checkpoint is on the disk.
   * @throws RectiflowError when it cannot be written
   */
  async save(notes: CheckpointNotes): Promise<void> {
    await this.settled();
    await this.#options.snapshot.take();
    await this.#write(notes);
  }

  /** Waits, now at full speed, until nothing is being written. `saved` tells what came of it. */
  async settled(): Promise<void> {
    this.#writing?.pace?.hurry();
    await this.#writing?.done;
  }

  async #write(notes: CheckpointNotes, pace?: Pace): Promise<void> {
    const { store, snapshot, train, observer, flush } = this.#options;
    try {
      await this.#refuseNonFinite(notes.step, pace);
      await flush();
    } catch (error) {
      await store.abandon?.(error as Error);
      throw error;
    }
    const path = await store.save({ ...snapshot.parts, ...notes }, train, pace);
    this.#saved = { step: notes.step, path };
    observer.onCheckpoint?.(notes.step, path);
  }

  /** Training may go on with such weights, to no use; a run must not go on after them. */
  async #refuseNonFinite(step: number, pace?: Pace): Promise<void> {
    const { model, ema, averages } = this.#options.snapshot.parts;
    for (const weights of [model, ema, ...(averages ? [averages] : [])]) {
      const problem = await describeNonFinite(weights, pace);
      if (problem === undefined) continue;
      throw new RectiflowError(
        'value',
        `step ${step}: its weights are not saved, earlier checkpoints are untouched: ${problem}. ` +
          'Lower optimizer.learningRate, or clip more (optimizer.clipNorm).',
      );
    }
  }

  async #makeRoom(): Promise<void> {
    if (!this.#writing) return;
    const { step } = this.#writing;
    const began = performance.now();
    await this.settled();
    const waited = performance.now() - began;
    if (waited < NOTABLE_WAIT || this.#hasToldOfWait) return;
    this.#hasToldOfWait = true;
    this.#options.observer.onNotice?.(
      `training had to wait ${(waited / 1000).toFixed(1)} s until the checkpoint of step ${step} was written: ` +
        'save less often (a larger train.checkpointEvery), or to a faster disk.',
    );
  }

  #tellFailure(step: number, error: Error): void {
    const { train, observer } = this.#options;
    // A run whose folder is gone ends with its next write.
    if (error instanceof RectiflowError && error.code === 'run') return;
    // At the end it is tried again at once, by a save that is an error where it fails.
    if (step === train.steps) return;
    const next = Math.min(step + train.checkpointEvery, train.steps);
    const good = this.#saved
      ? `The last good checkpoint is ${this.#saved.path}`
      : 'There is no checkpoint yet';
    observer.onNotice?.(
      `${error.message} Training goes on, and the next try is after step ${next}. ${good}.`,
    );
  }
}
