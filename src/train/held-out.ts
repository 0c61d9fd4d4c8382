// The loss of samples that are not trained on.
import type { Backend, Buffers, Executable } from '../backends/backend.ts';
import { disposeAll } from '../tensor/lifetime.ts';
import type { HeldOutSplit } from '../data/hold-out.ts';
import { nameOfShape, shapesOf } from '../data/sample-sizes.ts';
import { SampleReader } from '../data/sample-reader.ts';
import type { Annotation, Source } from '../data/source.ts';
import type { SampleModel } from '../models/model.ts';
import type { Program } from '../program/index.ts';
import type { HostArray } from '../tensor/dtype.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import type { Conditioning } from './conditioning.ts';
import type { TrainingConfig } from './settings.ts';
import type { TrainConfig } from './settings.ts';
import { averagedWeights } from './state.ts';
import { lossProgram } from './loss.ts';
import type { HeldOutTask, RunTask } from './run-task.ts';

/** Means over the same samples, with which the same is drawn each time. */
export interface HeldOutLosses {
  readonly heldOutLoss: number;
  /** With the averaged weights. */
  readonly heldOutLossEma: number;
  /** Without telling the model labels or captions; absent where it does not learn to do without. */
  readonly heldOutLossUnconditional?: number;
  /** Of as many samples that are trained on, with the same noise and times: the lower it is, the more is learnt by heart. */
  readonly trainedLoss: number;
  /** Of data at several sizes: of the samples that are read at each; `heldOutLoss` is the mean over all. */
  readonly heldOutLossBySize?: Readonly<Record<string, number>>;
  /** Of what an autoencoder with averaged weights makes of them. */
  readonly heldOutL1?: number;
  readonly heldOutPsnr?: number;
}

export interface HeldOutOptions {
  readonly config: Pick<TrainingConfig, 'seed' | 'loader' | 'train'>;
  readonly model: SampleModel;
  readonly task: Pick<RunTask, 'heldOut'>;
  readonly backend: Backend;
  /** The training step's state. */
  readonly buffers: Buffers;
  readonly conditioning: Conditioning;
  readonly split: HeldOutSplit;
  readonly onNotice?: ((text: string) => void) | undefined;
}

/** The most samples to evaluate at once, which bounds the memory. */
const mostAtOnce = 64;

/** How many of the samples are evaluated at once. */
export function heldOutBatch({ batchSize }: Pick<TrainConfig, 'batchSize'>, count: number): number {
  return Math.min(mostAtOnce, batchSize, count);
}

export function heldOutProgram(batch: number, { task }: HeldOutTask, sampleShape?: Shape): Program {
  return lossProgram({ batch, task }, sampleShape);
}

type Which = 'heldOut' | 'seen';

/** What samples of one shape are measured with, and which they are, by their places in their sets. */
interface PartOfShape extends Record<Which, readonly number[]> {
  readonly shape: Shape;
  readonly weights: Executable;
  readonly averages: Executable;
}

export class HeldOut {
  readonly #options: HeldOutOptions;
  readonly #batch: number;
  readonly #parts: readonly PartOfShape[];
  readonly #readers: Readonly<Record<Which, SampleReader>>;

  private constructor(options: HeldOutOptions, batch: number, parts: readonly PartOfShape[]) {
    const { config, split, onNotice } = options;
    this.#options = options;
    this.#batch = batch;
    this.#parts = parts;
    const reader = (source: Source, what: string): SampleReader =>
      new SampleReader(source, {
        ...config.loader,
        whole: split.trained.count + split.heldOut.count,
        onBad: ({ message }) => onNotice?.(`skipped among the samples ${what}: ${message}`),
      });
    this.#readers = {
      heldOut: reader(split.heldOut, 'held out'),
      seen: reader(split.seen, 'that these are compared with'),
    };
  }

  static async compile(options: HeldOutOptions): Promise<HeldOut> {
    const { config, backend, buffers, model, task, split } = options;
    const batch = heldOutBatch(config.train, split.heldOut.count);
    const parts: PartOfShape[] = [];
    const made: Executable[] = [];
    try {
      for (const [place, shape] of shapesOf(split.heldOut).entries()) {
        const samples = { heldOut: placesOf(split.heldOut, place), seen: placesOf(split.seen, place) };
        if (samples.heldOut.length + samples.seen.length === 0) continue;
        const program = heldOutProgram(batch, task.heldOut, shape);
        const weights = await backend.compile(program, buffers);
        made.push(weights);
        const averages = await backend.compile(program, averagedWeights(model, buffers));
        made.push(averages);
        parts.push({ shape, weights, averages, ...samples });
      }
      return new HeldOut(options, batch, parts);
    } catch (error) {
      await disposeAll(made);
      throw error;
    }
  }

  /** The state stays as it is. */
  async dispose(): Promise<void> {
    await disposeAll(this.#parts.flatMap(({ weights, averages }) => [weights, averages]));
  }

  /** With the weights as they are now. */
  async evaluate(): Promise<HeldOutLosses> {
    const { task, split } = this.#options;
    const { untold: tellNothing, quality } = task.heldOut;
    const untold = tellNothing?.(this.#batch);
    const measured: Readonly<Record<string, number[]>> = Object.fromEntries(
      (quality?.names ?? []).map((name) => [name, []]),
    );
    const sums = { heldOut: 0, ema: 0, unconditional: 0, seen: 0 };
    const bySize: Record<string, number> = {};
    let [count, seen] = [0, 0];
    for (const part of this.#parts) {
      const { shape, weights, averages } = part;
      let ofSize = 0;
      for (let first = 0; first < part.heldOut.length; first += this.#batch) {
        const rows = Math.min(this.#batch, part.heldOut.length - first);
        const inputs = await this.#read('heldOut', part, first);
        const loss = await lossOf(weights, inputs, rows);
        sums.heldOut += loss;
        ofSize += loss;
        sums.ema += await lossOf(averages, inputs, rows, measured);
        if (untold) sums.unconditional += await lossOf(weights, { ...inputs, ...untold }, rows);
      }
      for (let first = 0; first < part.seen.length; first += this.#batch) {
        const rows = Math.min(this.#batch, part.seen.length - first);
        sums.seen += await lossOf(weights, await this.#read('seen', part, first), rows);
      }
      if (part.heldOut.length > 0) bySize[nameOfShape(shape)] = ofSize / part.heldOut.length;
      count += part.heldOut.length;
      seen += part.seen.length;
    }
    return {
      heldOutLoss: sums.heldOut / count,
      heldOutLossEma: sums.ema / count,
      ...(untold && { heldOutLossUnconditional: sums.unconditional / count }),
      trainedLoss: sums.seen / seen,
      ...(split.heldOut.sizes && { heldOutLossBySize: bySize }),
      ...quality?.metrics(measured),
    };
  }

  /** The program's inputs for the samples from `first` on; the last batch is filled up with what does not count. */
  async #read(which: Which, part: PartOfShape, first: number): Promise<Record<string, HostArray>> {
    const { task, config, conditioning, split } = this.#options;
    const { shape } = part;
    const places = part[which].slice(first, first + this.#batch);
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

/** The sum over the first rows. @param measured gets what else is told of them, by name */
async function lossOf(
  executable: Executable,
  inputs: Readonly<Record<string, HostArray>>,
  rows: number,
  measured: Readonly<Record<string, number[]>> = {},
): Promise<number> {
  await executable.run(inputs);
  const { losses, ...others } = await executable.read(['losses', ...Object.keys(measured)]);
  for (const [name, values] of Object.entries(measured)) values.push(...others[name]!.subarray(0, rows));
  let sum = 0;
  for (let i = 0; i < rows; i++) sum += losses![i]!;
  return sum;
}
