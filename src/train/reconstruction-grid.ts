// Pictures above what an autoencoder makes of them.
import type { Executable } from '../backends/backend.ts';
import { SampleReader } from '../data/sample-reader.ts';
import type { ImageShape } from '../data/source.ts';
import type { AutoencoderModel } from '../models/autoencoder-model.ts';
import type { Program } from '../program/index.ts';
import { Kept } from '../tensor/kept.ts';
import { sizeOf } from '../tensor/shape.ts';
import { reconstructionProgram } from './autoencoder-task.ts';
import type { GridMaker, GridRun, GridTask } from './run-task.ts';
import type { SampleGrid } from './sample-grid.ts';
import type { TrainingConfig } from './settings.ts';
import { type Results, shareOut } from './ranks/share-out.ts';
import { type WeightSet, type WeightSets, weightSetsOf } from './ranks/weight-sets.ts';

type GridConfig = Pick<TrainingConfig, 'sample' | 'seed' | 'loader'>;

/** Rows of pictures, each above what is made of it. */
const mostStrips = 4;

/** What people call a row of pictures, and those below by the weights that made them. */
const titles = { original: 'original', ema: 'EMA', model: 'weights of the step' } as const;

/** Shows samples that are held out where there are some, else the first that are trained on. */
export function reconstructionGrid(config: GridConfig, model: AutoencoderModel): GridTask {
  const { perClass } = config.sample;
  const program = (columns: number): Program => reconstructionProgram(model, [columns, ...model.sampleShape]);
  const shown = shownWeights(config);
  return {
    programs: () => shown.map(() => program(perClass)),
    bytes: () => 4 * sizeOf(model.sampleShape) * perClass * mostStrips * (2 + shown.length),
    open: (run) => new ReconstructionGrid(config, model, run, program),
  };
}

function shownWeights({ sample: { gridWeights } }: GridConfig): readonly WeightSet[] {
  return gridWeights === 'both' ? ['ema', 'model'] : [gridWeights];
}

class ReconstructionGrid implements GridMaker {
  readonly #config: GridConfig;
  readonly #model: AutoencoderModel;
  readonly #run: GridRun;
  readonly #sets: WeightSets;
  readonly #program: (columns: number) => Program;
  readonly #columns: number;
  readonly #strips: number;
  readonly #compiled = new Kept<Executable>('the grid', (executable) => executable.dispose());
  #originals: Promise<Float32Array> | undefined;

  constructor(
    config: GridConfig,
    model: AutoencoderModel,
    run: GridRun,
    program: (columns: number) => Program,
  ) {
    const { count } = run.split?.heldOut ?? run.source;
    this.#config = config;
    this.#model = model;
    this.#run = run;
    this.#sets = weightSetsOf(model, run.buffers, run.exchange);
    this.#program = program;
    this.#columns = Math.min(config.sample.perClass, count);
    this.#strips = Math.min(mostStrips, Math.floor(count / this.#columns));
  }

  dispose(): Promise<void> {
    return this.#compiled.dispose();
  }

  async make(signal?: AbortSignal): Promise<SampleGrid> {
    const originals = await (this.#originals ??= this.#read());
    const shown = shownWeights(this.#config);
    const length = this.#columns * sizeOf(this.#model.sampleShape);
    const rows = [titles.original, ...shown.map((weights) => titles[weights])];
    const samples = new Float32Array(this.#strips * rows.length * length);
    const pictures = (strip: number): Float32Array =>
      originals.subarray(strip * length, (strip + 1) * length);
    const startOf = (strip: number): number => strip * rows.length * length;
    for (let strip = 0; strip < this.#strips; strip++) samples.set(pictures(strip), startOf(strip));
    for (const [below, weights] of shown.entries()) {
      const make = async (strip: number): Promise<void> => {
        signal?.throwIfAborted();
        const made = await this.#reconstruct(weights, pictures(strip));
        samples.set(made, startOf(strip) + (1 + below) * length);
      };
      await this.#sets.with(weights, () => this.#share([{ values: samples, startOf }], make));
    }
    return {
      shape: this.#model.sampleShape as ImageShape,
      columns: this.#columns,
      rows: Array.from({ length: this.#strips }, () => rows).flat(),
      sets: [{ weights: shown[0]!, samples }],
      path: { columns: [], samples: new Float32Array(0) },
    };
  }

  /** Ranks share out the strips. */
  #share(results: readonly Results[], work: (strip: number) => Promise<void>): Promise<void> {
    return shareOut(this.#run.communicator, this.#strips, results, work);
  }

  async #reconstruct(weights: WeightSet, pictures: Float32Array): Promise<Float32Array> {
    const { buffers, takeTurns } = this.#sets;
    const executable = await this.#compiled.get(takeTurns ? 'both' : weights, () =>
      this.#run.backend.compile(this.#program(this.#columns), buffers[weights]),
    );
    await executable.run({ x0: pictures });
    return Float32Array.from((await executable.read(['pictures'])).pictures);
  }

  /** As training would see them first. */
  async #read(): Promise<Float32Array> {
    const { source, split } = this.#run;
    const { seed, loader } = this.#config;
    const reader = new SampleReader(split?.heldOut ?? source, {
      ...loader,
      whole: split && split.trained.count + split.heldOut.count,
    });
    const elements = sizeOf(this.#model.sampleShape);
    const pictures = new Float32Array(this.#strips * this.#columns * elements);
    const startOf = (strip: number): number => strip * this.#columns * elements;
    await this.#share([{ values: pictures, startOf }], async (strip) => {
      for (let i = strip * this.#columns; i < (strip + 1) * this.#columns; i++)
        await reader.read(i, pictures, i * elements, { seed, epoch: 0 });
    });
    return pictures;
  }
}
