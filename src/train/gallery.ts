// The samples that a run shows on its way.
import { isPicture } from '../data/source.ts';
import type { PreparedTraining } from './prepare.ts';
import type { GridMaker } from './run-task.ts';
import { decodeGrid, shownShape } from './sample-decoder.ts';
import type { SampleGrid } from './sample-grid.ts';

/** Where the samples of a run are shown. */
export interface SampleWriter {
  /**
   * @returns how people call what was shown, its path; and the paths of all of its pictures, by the tag that logs call them
   * @throws RectiflowError of the code `file` where they cannot be written; nothing of them is left then
   */
  write(step: number, grid: SampleGrid): Promise<ShownSamples>;
  /** Whether those of a step are there. */
  has(step: number): Promise<boolean>;
}

export interface ShownSamples {
  readonly path: string;
  readonly pictures: Readonly<Record<string, string>>;
}

export class Gallery {
  readonly #training: PreparedTraining;
  readonly #writer: SampleWriter;
  readonly #grids: GridMaker;
  #last: { readonly step: number; readonly path: string } | undefined;

  constructor(training: PreparedTraining, writer: SampleWriter) {
    this.#training = training;
    this.#writer = writer;
    this.#grids = training.task.grid.open(training);
  }

  async dispose(): Promise<void> {
    await this.#grids.dispose();
  }

  /**
   * Samples with the weights as they are now, for grid and path.
   * @returns undefined where samples cannot be shown, or the signal came before they were made
   * @throws RectiflowError as `SampleWriter.write` does
   */
  async write(step: number, signal: AbortSignal | undefined): Promise<ShownSamples | undefined> {
    const { model, source, decoder } = this.#training;
    if (!shownShape(model.sampleShape, source.record, decoder)) return undefined;
    try {
      const grid = await this.#grids.make(signal);
      const isShown = decoder === undefined || isPicture(grid.shape, source.record);
      const shown = await this.#writer.write(step, isShown ? grid : await decodeGrid(grid, decoder, signal));
      this.#last = { step, path: shown.path };
      return shown;
    } catch (error) {
      if (signal?.aborted) return undefined;
      throw error;
    }
  }

  has(step: number): Promise<boolean> {
    return this.#writer.has(step);
  }

  /** Where the last samples were shown, if they are still there. */
  async lastPath(): Promise<string | undefined> {
    return this.#last && (await this.has(this.#last.step)) ? this.#last.path : undefined;
  }
}
