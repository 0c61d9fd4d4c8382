// The samples that are kept out of training, and as many that are not, in batches that are measured by ranks together.
import type { Backend, Buffers, Executable } from '../backends/backend.ts';
import { disposeAll } from '../tensor/lifetime.ts';
import type { HeldOutSplit } from '../data/hold-out.ts';
import { shapesOf } from '../data/sample-sizes.ts';
import { SampleReader } from '../data/sample-reader.ts';
import type { Annotation, Source } from '../data/source.ts';
import type { SampleModel } from '../models/model.ts';
import type { Program } from '../program/index.ts';
import type { HostArray } from '../tensor/dtype.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import type { Communicator } from './ranks/communicator.ts';
import type { Conditioning } from './conditioning.ts';
import type { Exchange } from './ranks/exchange.ts';
import { lossProgram } from './loss.ts';
import { otherRanks } from './ranks/other-ranks.ts';
import type { HeldOutTask, RunTask } from './run-task.ts';
import type { TrainConfig, TrainingConfig } from './settings.ts';
import { type Results, shareOut } from './ranks/share-out.ts';
import { type WeightSet, type WeightSets, weightSetsOf } from './ranks/weight-sets.ts';

export interface HeldOutOptions {
  readonly config: Pick<TrainingConfig, 'seed' | 'loader' | 'train'>;
  readonly model: SampleModel;
  readonly task: Pick<RunTask, 'heldOut'>;
  readonly backend: Backend;
  /** The training step's state. */
  readonly buffers: Buffers;
  readonly conditioning: Conditioning;
  readonly split: HeldOutSplit;
  /** Where other ranks measure a part of them. */
  readonly communicator?: Communicator | undefined;
  readonly exchange?: Exchange | undefined;
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** The most samples to evaluate at once, which bounds the memory. */
const mostAtOnce = 64;

/** How many of the samples are evaluated at once: of a run that ranks may share, no more than each has a share of. */
export function heldOutBatch(
  { batchSize, shards = 1 }: Pick<TrainConfig, 'batchSize' | 'shards'>,
  count: number,
): number {
  return Math.min(mostAtOnce, batchSize, Math.ceil(count / shards));
}

export function heldOutProgram(batch: number, { task }: HeldOutTask, sampleShape?: Shape): Program {
  return lossProgram({ batch, task }, sampleShape);
}

export type Which = 'heldOut' | 'seen';

/** What samples of one shape are measured with, and which they are, by their places in their sets. */
export interface PartOfShape
  extends Record<Which, readonly number[]>, Readonly<Record<WeightSet, Executable>> {
  readonly shape: Shape;
}

/** Samples that are measured at once: those of a part from `first` on. */
export interface Job {
  readonly part: PartOfShape;
  readonly which: Which;
  readonly first: number;
  readonly rows: number;
}

/** What is told of samples: by the weights, and by name. */
export type Told = Readonly<Record<WeightSet, readonly string[]>>;

/** The losses where the model is told nothing, beside those that the program calls `losses`. */
export const untoldLosses = 'untold';

export class HeldOutBatches {
  readonly parts: readonly PartOfShape[];
  readonly #options: HeldOutOptions;
  readonly #sets: WeightSets;
  readonly #batch: number;
  readonly #readers: Readonly<Record<Which, SampleReader>>;

  private constructor(
    options: HeldOutOptions,
    sets: WeightSets,
    batch: number,
    parts: readonly PartOfShape[],
  ) {
    const { config, split, communicator, onNotice } = options;
    this.#options = options;
    this.#sets = sets;
    this.#batch = batch;
    this.parts = parts;
    const reader = (which: Which, what: string): SampleReader =>
      new SampleReader(split[which], {
        ...config.loader,
        others: otherRanks(communicator, which),
        whole: split.trained.count + split.heldOut.count,
        onBad: ({ message }) => onNotice?.(`skipped among the samples ${what}: ${message}`),
      });
    this.#readers = {
      heldOut: reader('heldOut', 'held out'),
      seen: reader('seen', 'that these are compared with'),
    };
  }

  static async compile(options: HeldOutOptions): Promise<HeldOutBatches> {
    const { config, backend, buffers, model, task, split, exchange } = options;
    const batch = heldOutBatch(config.train, split.heldOut.count);
    const sets = weightSetsOf(model, buffers, exchange);
    const parts: PartOfShape[] = [];
    const made: Executable[] = [];
    try {
      for (const [place, shape] of shapesOf(split.heldOut).entries()) {
        const samples = { heldOut: placesOf(split.heldOut, place), seen: placesOf(split.seen, place) };
        if (samples.heldOut.length + samples.seen.length === 0) continue;
        const program = heldOutProgram(batch, task.heldOut, shape);
        const compile = async (set: WeightSet): Promise<Executable> => {
          const executable = await backend.compile(program, sets.buffers[set]);
          made.push(executable);
          return executable;
        };
        const weights = await compile('model');
        parts.push({
          shape,
          model: weights,
          ema: sets.takeTurns ? weights : await compile('ema'),
          ...samples,
        });
      }
      return new HeldOutBatches(options, sets, batch, parts);
    } catch (error) {
      await disposeAll(made);
      throw error;
    }
  }

  /** The state stays as it is. */
  async dispose(): Promise<void> {
    for (const reader of Object.values(this.#readers)) reader.close();
    await disposeAll(new Set(this.parts.flatMap(({ model, ema }) => [model, ema])));
  }

  jobs(which: Which): Job[] {
    return this.parts.flatMap((part) => {
      const { length } = part[which];
      return Array.from({ length: Math.ceil(length / this.#batch) }, (_, i): Job => {
        const first = i * this.#batch;
        return { part, which, first, rows: Math.min(this.#batch, length - first) };
      });
    });
  }

  /**
   * All ranks call it, each measures some of the jobs. Samples are read once where both sets of weights are there at once, else for each of them.
   * @returns what is told of each job's samples, [rows], by the weights and by name
   */
  async measureAll(
    jobs: readonly Job[],
    told: Told,
  ): Promise<(set: WeightSet, name: string) => Float32Array[]> {
    const ofJob = (set: WeightSet): number => told[set].length * this.#batch;
    const tableOf = (set: WeightSet): Results => {
      const startOf = (job: number): number => job * ofJob(set);
      return { values: new Float32Array(startOf(jobs.length)), startOf };
    };
    const tables = { model: tableOf('model'), ema: tableOf('ema') };
    const wanted = (['model', 'ema'] as const).filter((set) => told[set].length > 0);
    for (const sets of this.#sets.takeTurns ? wanted.map((set) => [set]) : [wanted]) {
      const measure = async (job: number): Promise<void> => {
        const inputs = await this.#read(jobs[job]!);
        for (const set of sets) {
          const { values, startOf } = tables[set];
          const numbers = values.subarray(startOf(job), startOf(job + 1));
          await this.#measure(jobs[job]!.part[set], inputs, told[set], numbers);
        }
      };
      const results = sets.map((set) => tables[set]);
      await this.#sets.with(sets[0]!, () =>
        shareOut(this.#options.communicator, jobs.length, results, measure),
      );
    }
    return (set, name) =>
      jobs.map(({ rows }, job) => {
        const first = tables[set].startOf(job) + told[set].indexOf(name) * this.#batch;
        return tables[set].values.subarray(first, first + rows);
      });
  }

  /** @param numbers gets what is told of a batch: [names, batch] */
  async #measure(
    executable: Executable,
    inputs: Readonly<Record<string, HostArray>>,
    names: readonly string[],
    numbers: Float32Array,
  ): Promise<void> {
    const { untold } = this.#options.task.heldOut;
    const outputs = names.filter((name) => name !== untoldLosses);
    await executable.run(inputs);
    const told: Record<string, HostArray> = await executable.read(outputs);
    if (outputs.length < names.length) {
      await executable.run({ ...inputs, ...untold!(this.#batch) });
      told[untoldLosses] = (await executable.read(['losses'])).losses;
    }
    names.forEach((name, i) => numbers.set(told[name]!, i * this.#batch));
  }

  /** The program's inputs for the samples of a job; the last batch is filled up with what does not count. */
  async #read({ part, which, first, rows }: Job): Promise<Record<string, HostArray>> {
    const { task, config, conditioning, split } = this.#options;
    const { shape } = part;
    const places = part[which].slice(first, first + rows);
    const elements = sizeOf(shape);
    const x0 = new Float32Array(this.#batch * elements);
    const { placement } = conditioning;
    const key = {
      seed: config.seed,
      epoch: 0,
      ...(split[which].sizes && { shape }),
      ...(placement && { placement }),
    };
    const annotations: Annotation[] = [];
    for (const [i, place] of places.entries())
      annotations.push(await this.#readers[which].read(place, x0, i * elements, key));
    while (annotations.length < this.#batch) annotations.push(annotations[0]!);
    const samples = {
      first,
      count: part[which].length,
      rows: this.#batch,
      sampleShape: shape,
      annotations,
    };
    return {
      x0,
      ...task.heldOut.given(samples),
      ...conditioning.encode(annotations, shape),
      step: Int32Array.of(0),
    };
  }
}

/** The places of the samples of a set that are read at one of its shapes. */
function placesOf({ count, sizes }: Source, shape: number): number[] {
  const all = Array.from({ length: count }, (_, place) => place);
  return sizes?.of ? all.filter((place) => sizes.of!(place) === shape) : all;
}
