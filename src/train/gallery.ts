// The pictures that a run makes of its samples.
import { rm } from 'node:fs/promises';
import type { RunFolder } from '../runs/run-folder.ts';
import { disposeAll } from '../tensor/lifetime.ts';
import { FlowSampler } from '../flow/sample.ts';
import { RectiflowError } from '../tensor/errors.ts';
import type { PreparedTraining } from './prepare.ts';
import { isPicture } from '../data/source.ts';
import { type GridSamplers, writeSamplePictures } from './sample-grid.ts';
import { averagedWeights } from './state.ts';
import type { StepLog } from './step-log.ts';

/** What its pictures are called where they are shown. */
export const pictureTags = { grid: 'samples', path: 'samples_path' } as const;

export class Gallery {
  readonly #training: PreparedTraining;
  readonly #folder: RunFolder;
  readonly #log: StepLog;
  readonly #samplers: GridSamplers;

  constructor(training: PreparedTraining, folder: RunFolder, log: StepLog) {
    const { backend, model, objective, buffers } = training;
    this.#training = training;
    this.#folder = folder;
    this.#log = log;
    this.#samplers = {
      ema: new FlowSampler(backend, model, averagedWeights(model, buffers), { objective }),
      model: new FlowSampler(backend, model, buffers, { objective }),
    };
  }

  async dispose(): Promise<void> {
    await disposeAll(Object.values(this.#samplers));
  }

  /**
   * Samples with the weights as they are now, for grid and path.
   * @returns the path of the grid; undefined where samples cannot be shown, or the signal came before they were made
   * @throws RectiflowError of the code `file` where they cannot be written; nothing of them is left then
   */
  async write(step: number, signal: AbortSignal | undefined): Promise<string | undefined> {
    const { config, model, conditioning, source } = this.#training;
    if (!isPicture(model.sampleShape, source.record)) return undefined;
    const files = { grid: this.#folder.samplePath(step), path: this.#folder.stripPath(step) };
    try {
      const told = { conditioning, classNames: source.classNames };
      await writeSamplePictures(files, this.#samplers, model.sampleShape, config, told, signal);
    } catch (error) {
      if (signal?.aborted) return undefined;
      if (error instanceof RectiflowError && error.code === 'file')
        for (const file of Object.values(files)) await rm(file, { force: true }).catch(() => {});
      throw error;
    }
    this.#log.writeImage(step, pictureTags.grid, files.grid);
    this.#log.writeImage(step, pictureTags.path, files.path);
    return files.grid;
  }
}
