// The samples that a run shows on its way.
import { isPicture } from '../data/source.ts';
import type { MadeSamples } from '../steering/event.ts';
import type { OrderedSamples } from './make-ordered.ts';
import type { Communicator } from './ranks/communicator.ts';
import type { PreparedTraining } from './prepare.ts';
import type { GridMaker } from './run-task.ts';
import type { TrainingConfig } from './settings.ts';
import { decodeGrid, shownShape } from './sample-decoder.ts';
import type { SampleGrid } from './sample-grid.ts';

/** Where the samples of a run are shown. */
export interface SampleWriter {
  /**
   * @returns how people call what was shown, its path; and the paths of all of its pictures, by the tag that logs call them
   * @throws RectiflowError of the code `file` where they cannot be written; nothing of them is left then
   */
  write(step: number, grid: SampleGrid): Promise<ShownSamples>;
  /**
   * Samples that were asked for; without it, none are made.
   * @throws RectiflowError of the code `file` where they cannot be written, nothing of them is left then; of the code `run` where the run is gone
   */
  writeOrdered?(ordered: OrderedSamples): Promise<MadeSamples>;
  /** Whether those of a step are there. */
  has(step: number): Promise<boolean>;
}

export interface ShownSamples {
  readonly path: string;
  readonly pictures: Readonly<Record<string, string>>;
}

/** Of ranks, the first writes; the others make some of the samples. All of them call what waits for others. */
export class Gallery {
  readonly #training: PreparedTraining;
  readonly #writer: SampleWriter | undefined;
  #grids: GridMaker;
  /** Whose samples those show. */
  #config: TrainingConfig;
  #last: { readonly step: number; readonly path: string } | undefined;

  private constructor(training: PreparedTraining, writer: SampleWriter | undefined) {
    this.#training = training;
    this.#writer = writer;
    this.#grids = training.task.grid.open(training);
    this.#config = training.config;
  }

  /**
   * All ranks call it.
   * @param writer of the first rank, and of whoever trains alone
   * @returns undefined where samples are not shown, or cannot be
   */
  static async open(
    training: PreparedTraining,
    writer: SampleWriter | undefined,
  ): Promise<Gallery | undefined> {
    const { model, source, decoder, communicator } = training;
    const areShown =
      writer !== undefined && shownShape(model.sampleShape, source.record, decoder) !== undefined;
    return (await toldByFirst(communicator, areShown)) ? new Gallery(training, writer) : undefined;
  }

  /** What makes them: until the next are written. */
  get grids(): GridMaker {
    return this.#grids;
  }

  async dispose(): Promise<void> {
    await this.#grids.dispose();
  }

  /**
   * Samples with the weights as they are now, for grid and path.
   * @param config whose settings of samples they are made with
   * @returns undefined on ranks that write none, or where the signal came before they were made
   * @throws RectiflowError as `SampleWriter.write` does
   */
  async write(
    step: number,
    config: TrainingConfig,
    signal: AbortSignal | undefined,
  ): Promise<ShownSamples | undefined> {
    const { source, decoder } = this.#training;
    try {
      if (config.sample !== this.#config.sample) await this.#reopen(config);
      const grid = await this.#grids.make(signal);
      if (this.#writer === undefined) return undefined;
      const isShown = decoder === undefined || isPicture(grid.shape, source.record);
      const shown = await this.#writer.write(step, isShown ? grid : await decodeGrid(grid, decoder, signal));
      this.#last = { step, path: shown.path };
      return shown;
    } catch (error) {
      if (signal?.aborted) return undefined;
      throw error;
    }
  }

  async #reopen(config: TrainingConfig): Promise<void> {
    await this.#grids.dispose();
    this.#grids = this.#training.gridOf(config).open(this.#training);
    this.#config = config;
  }

  /** Whether samples of a step are there. */
  async has(step: number): Promise<boolean> {
    return toldByFirst(this.#training.communicator, (await this.#writer?.has(step)) ?? false);
  }

  /** Where the last samples were shown, if they are still there. */
  async lastPath(): Promise<string | undefined> {
    return this.#last && (await this.#writer?.has(this.#last.step)) ? this.#last.path : undefined;
  }
}

/** What the first rank says; all call it. */
export async function toldByFirst(communicator: Communicator | undefined, value: boolean): Promise<boolean> {
  const [first] = (await communicator?.gatherJson(value)) ?? [value];
  return first!;
}
