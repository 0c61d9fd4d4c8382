import { appendFileSync } from 'node:fs';
import { access, appendFile, mkdir, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { readRegular } from '../host/regular-file.ts';
import { RectiflowError, fileError, runError, systemProblem } from '../tensor/errors.ts';
import { printable } from '../tensor/printable.ts';
import { latestCheckpoint, removeLeftovers, removeOldCheckpoints, saveCheckpoint } from './checkpoint.ts';
import type { Checkpoint, OpenTensors, Retention, RunStore } from '../train/run-store.ts';
import type { SavedCheckpoint, WriteFiles } from './checkpoint.ts';
import { replaceDurably, syncDirectory } from '../host/durable.ts';
import { type RunLock, type Waiting, lockRun } from './lock.ts';
import { describeMachine, version } from '../host/machine.ts';
import {
  BAD_STEPS,
  CHECKPOINTS,
  CONFIG,
  METRICS,
  NOTICES,
  SAMPLES,
  noticeLine,
  stepName,
} from '../kept/layout.ts';
import { type RunRecord, encodeRecord, newRecord, parseRecord } from '../kept/record.ts';
import { MetricsLog } from './metrics-log.ts';
import { formatRecord } from '../kept/metrics-lines.ts';
import { noRun } from './no-run.ts';
import { type WriteAverages, dropLaterAverages, storeAverages } from './store-averages.ts';
import type { BadStep } from '../train/bad-steps.ts';
import type { Pace } from '../tensor/pace.ts';

/** What `replaceDurably` leaves behind when it is killed. */
const TEMPORARY = /\.tmp-\d+$/;

/**
 * The folder of one run, held by this process until `close`:
 *
 *     config.json  metrics.jsonl  events.out.tfevents.* (for TensorBoard)  samples/step-0001000.png
 *     samples/asked/step-0001000.png and the folder step-0001000 (samples that were asked for while it trained)
 *     checkpoints/step-0001000/{model,ema,optimizer}.safetensors, state.json
 *     wandb.json, mlflow.json (the run there that this one goes on with)
 *     tuning.json (how the GPU that trains it computes)
 *     events.jsonl (what was asked while it trained)  steering/ (what is asked and not taken yet)
 */
export class RunFolder implements RunStore {
  readonly path: string;
  readonly record: RunRecord;
  readonly #lock: RunLock;
  #isLost = false;

  private constructor(path: string, record: RunRecord, lock: RunLock) {
    this.path = path;
    this.record = record;
    this.#lock = lock;
  }

  /**
   * Starts a run.
   * @param config the resolved config, plain JSON
   * @throws RectiflowError when the folder holds a run already or cannot be written
   */
  static async create(path: string, config: unknown): Promise<RunFolder> {
    return describingFailure(path, async () => {
      const isMade = (await mkdir(path, { recursive: true })) !== undefined;
      await refuseRun(path);
      const lock = await lockRun(path);
      try {
        // Another process may have been faster.
        await refuseRun(path);
        await mkdir(join(path, SAMPLES), { recursive: true });
        await mkdir(checkpointFolder(path), { recursive: true });
        const record = await newRecord(config, { version, machine: describeMachine() });
        await replaceDurably(join(path, CONFIG), encodeRecord(record));
        await syncDirectory(dirname(path));
        return new RunFolder(path, record, lock);
      } catch (error) {
        const isRun = (await sizeOf(join(path, CONFIG))) > 0;
        if (isMade && !isRun) await rm(path, { recursive: true, force: true }).catch(() => {});
        await lock.release();
        throw error;
      }
    });
  }

  /**
   * Takes up a run again, and clears what a crash left in it.
   * @param waiting of who waits, up to two minutes, until the lock of another host or container has lapsed; without it, it is refused
   * @throws RectiflowError when it is no run, or another process holds it
   */
  static async open(path: string, waiting?: Waiting): Promise<RunFolder> {
    return describingFailure(path, async () => {
      await readRun(path);
      const lock = await lockRun(path, { waiting });
      try {
        // Whoever held it until now may have changed it.
        const record = await readRun(path);
        for (const name of await readdir(path)) {
          if (TEMPORARY.test(name)) await rm(join(path, name), { force: true });
        }
        await removeLeftovers(checkpointFolder(path));
        return new RunFolder(path, record, lock);
      } catch (error) {
        await lock.release();
        throw error;
      }
    });
  }

  /** Of the lock that this process holds it by. */
  get owner(): string {
    return this.#lock.owner;
  }

  get checkpoints(): string {
    return checkpointFolder(this.path);
  }

  get samples(): string {
    return join(this.path, SAMPLES);
  }

  /** Where samples belong that were asked for while it trained. */
  get askedSamples(): string {
    return join(this.samples, 'asked');
  }

  /** Where the sample grid of a step belongs. */
  samplePath(step: number): string {
    return join(this.samples, `${stepName(step)}.png`);
  }

  /** Where the picture of how samples of a step come out of noise belongs. */
  stripPath(step: number): string {
    return join(this.samples, `${stepName(step)}-path.png`);
  }

  /** Where the picture of a step's samples of each size belongs. */
  sizesPath(step: number): string {
    return join(this.samples, `${stepName(step)}-sizes.png`);
  }

  get metricsPath(): string {
    return join(this.path, METRICS);
  }

  /** As `MetricsLog.open` does. */
  async openMetrics(step: number, onFailure: (problem: RectiflowError) => void): Promise<MetricsLog> {
    return MetricsLog.open(this.metricsPath, step, onFailure);
  }

  /** Where steps are told whose loss or gradient was not finite. */
  get badStepsPath(): string {
    return join(this.path, BAD_STEPS);
  }

  /**
   * Makes sure that what is written next is written to the run: the folder may have been deleted or renamed, or another process may
   * hold it since this one was suspended for long.
   * @throws RectiflowError of the code `run` where it is so; nothing is to be written then
   */
  async check(): Promise<void> {
    try {
      await this.#lock.check();
    } catch (error) {
      this.#isLost = true;
      throw error;
    }
  }

  /** Makes anew what is missing of the folders for pictures and checkpoints. Throws as `check` does. */
  async mend(onNotice: (text: string) => void): Promise<void> {
    await this.check();
    for (const folder of [this.samples, this.checkpoints]) {
      // Not the folders above: a run that is gone must not come to life as a part of itself.
      const isMade = await mkdir(folder).then(
        () => true,
        () => false,
      );
      if (isMade) onNotice(`${folder} was deleted: it is made anew, without what was in it.`);
    }
  }

  /** Keeps a sentence that the user was told, for who looks later. */
  note(step: number, text: string): void {
    if (this.#isLost) return;
    try {
      appendFileSync(join(this.path, NOTICES), noticeLine(step, printable(text)));
    } catch {
      // A full disk ends no run for the sake of a notice.
    }
  }

  /** Adds a line about such a step. What cannot be written is only missing there. */
  async noteBadStep(step: BadStep): Promise<void> {
    await this.check();
    const record = { ...step, finding: step.finding ?? null };
    await appendFile(this.badStepsPath, formatRecord(record)).catch(() => {});
  }

  /** Whether a checkpoint is still there. */
  async has(path: string): Promise<boolean> {
    return access(path).then(
      () => true,
      () => false,
    );
  }

  async storeAverages(
    step: number,
    updates: number,
    averages: OpenTensors,
    write?: WriteAverages,
  ): Promise<void> {
    await storeAverages(this.path, step, updates, averages, write);
  }

  async dropLaterAverages(step: number): Promise<void> {
    await dropLaterAverages(this.path, step);
  }

  /** Saves a checkpoint as `saveCheckpoint` does, then drops old ones. @returns its path */
  async save(checkpoint: Checkpoint, retention: Retention, pace?: Pace, write?: WriteFiles): Promise<string> {
    await this.check();
    const check = (): Promise<void> => this.check();
    const path = await saveCheckpoint(this.checkpoints, checkpoint, { pace, check, write });
    await describingFailure(this.path, () =>
      removeOldCheckpoints(this.checkpoints, checkpoint.step, retention),
    );
    return path;
  }

  /** As `latestCheckpoint` does. */
  async latest(onDamaged?: (problem: RectiflowError) => void): Promise<SavedCheckpoint> {
    return latestCheckpoint(this.checkpoints, onDamaged);
  }

  /**
   * Removes the folder where nothing has been trained: a start that failed leaves none behind. What cannot be removed stays. Close
   * it all the same.
   * @returns whether nothing had been trained
   */
  async discardUnused(): Promise<boolean> {
    if (this.#isLost) return false;
    const kept = [this.samples, this.checkpoints].map((folder) => readdir(folder));
    const isEmpty = (await Promise.all(kept)).every(({ length }) => length === 0);
    const logs = await Promise.all([sizeOf(join(this.path, METRICS)), sizeOf(this.badStepsPath)]);
    const isUnused = isEmpty && logs.every((size) => size === 0);
    if (isUnused) await rm(this.path, { recursive: true, force: true });
    return isUnused;
  }

  /** Lets other processes have the folder. */
  async close(): Promise<void> {
    await this.#lock.release();
  }
}

/** Bytes; 0 where there is no such file. */
async function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

/** The folder of a run's checkpoints, for `latestCheckpoint`. */
export function checkpointFolder(run: string): string {
  return join(run, CHECKPOINTS);
}

/**
 * What config.json says, without taking the run: for those who only look.
 * @throws RectiflowError when the folder is missing or no run, or config.json is damaged
 */
export async function readRun(path: string): Promise<RunRecord> {
  const file = join(path, CONFIG);
  const bytes = await readRegular(file).catch(async (error: NodeJS.ErrnoException) => {
    const isAbsent = error.code === 'ENOENT' || error.code === 'ENOTDIR';
    throw isAbsent ? await noRun(path) : fileError(file, systemProblem(error), 'Check the path', error);
  });
  return parseRecord(bytes, file);
}

/** @throws RectiflowError where the folder holds a run */
async function refuseRun(path: string): Promise<void> {
  const isThere = await access(join(path, CONFIG)).then(
    () => true,
    () => false,
  );
  const advice = `Go on with it (rectiflow resume ${path}), or choose another name`;
  if (isThere) throw runError(path, 'holds a run already', advice);
}

async function describingFailure<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof RectiflowError) throw error;
    throw fileError(
      path,
      `the run folder cannot be used: ${systemProblem(error)}`,
      'Check the path and the disk',
      error,
    );
  }
}
