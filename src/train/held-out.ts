// The loss of samples that are not trained on.
import type { Backend, Buffers, Executable } from '../backends/backend.ts';
import { disposeAll } from '../tensor/lifetime.ts';
import type { HeldOutSplit } from '../data/hold-out.ts';
import { SampleReader } from '../data/sample-reader.ts';
import type { Annotation, Source } from '../data/source.ts';
import type { SampleModel } from '../models/model.ts';
import type { Program } from '../program/index.ts';
import type { HostArray } from '../tensor/dtype.ts';
import { sizeOf } from '../tensor/shape.ts';
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

export function heldOutProgram(batch: number, { task }: HeldOutTask): Program {
  return lossProgram({ batch, task });
}

export class HeldOut {
  readonly #options: HeldOutOptions;
  readonly #batch: number;
  readonly #weights: Executable;
  readonly #averages: Executable;
  readonly #readers: Readonly<Record<'heldOut' | 'seen', SampleReader>>;

  private constructor(options: HeldOutOptions, batch: number, weights: Executable, averages: Executable) {
    const { config, split, onNotice } = options;
    this.#options = options;
    this.#batch = batch;
    this.#weights = weights;
    this.#averages = averages;
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
    const program = heldOutProgram(batch, task.heldOut);
    const weights = await backend.compile(program, buffers);
    try {
      const averages = await backend.compile(program, averagedWeights(model, buffers));
      return new HeldOut(options, batch, weights, averages);
    } catch (error) {
      await weights.dispose();
      throw error;
    }
  }

  /** The state stays as it is. */
  async dispose(): Promise<void> {
    await disposeAll([this.#weights, this.#averages]);
  }

  /** With the weights as they are now. */
  async evaluate(): Promise<HeldOutLosses> {
    const { task, split } = this.#options;
    const { count } = split.heldOut;
    const untold = task.heldOut.untold?.(this.#batch);
    const sums = { heldOut: 0, ema: 0, unconditional: 0, seen: 0 };
    for (let first = 0; first < count; first += this.#batch) {
      const heldOut = await this.#read('heldOut', first);
      sums.heldOut += await this.#lossOf(this.#weights, heldOut, first);
      sums.ema += await this.#lossOf(this.#averages, heldOut, first);
      if (untold) sums.unconditional += await this.#lossOf(this.#weights, { ...heldOut, ...untold }, first);
      sums.seen += await this.#lossOf(this.#weights, await this.#read('seen', first), first);
    }
    return {
      heldOutLoss: sums.heldOut / count,
      heldOutLossEma: sums.ema / count,
      ...(untold && { heldOutLossUnconditional: sums.unconditional / count }),
      trainedLoss: sums.seen / count,
    };
  }

  /** The program's inputs for the samples from `first` on; the last batch is filled up with what does not count. */
  async #read(which: 'heldOut' | 'seen', first: number): Promise<Record<string, HostArray>> {
    const { model, task, config, conditioning, split } = this.#options;
    const { seed } = config;
    const { count } = split.heldOut;
    const elements = sizeOf(model.sampleShape);
    const x0 = new Float32Array(this.#batch * elements);
    const annotations: Annotation[] = [];
    for (let i = 0; i < this.#rows(first); i++)
      annotations.push(await this.#readers[which].read(first + i, x0, i * elements, { seed, epoch: 0 }));
    while (annotations.length < this.#batch) annotations.push(annotations[0]!);
    return {
      x0,
      ...task.heldOut.given({ first, count, rows: this.#batch, annotations }),
      ...conditioning.encode(annotations),
      step: Int32Array.of(0),
    };
  }

  /** Samples that count in the batch from `first` on. */
  #rows(first: number): number {
    return Math.min(this.#batch, this.#options.split.heldOut.count - first);
  }

  /** The sum over the samples from `first` on. */
  async #lossOf(
    executable: Executable,
    inputs: Readonly<Record<string, HostArray>>,
    first: number,
  ): Promise<number> {
    await executable.run(inputs);
    const { losses } = await executable.read(['losses']);
    let sum = 0;
    for (let i = 0; i < this.#rows(first); i++) sum += losses[i]!;
    return sum;
  }
}
