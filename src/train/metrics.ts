import type { TrainingPlan } from './plan-training.ts';

/** What a logged step has to say; a line of metrics.jsonl. */
export interface StepMetrics {
  /** 1 for the first. */
  readonly step: number;
  readonly loss: number;
  readonly learningRate: number;
  /** Of the global gradient, before clipping. */
  readonly gradNorm: number;
  /** Since the logged step before, without the time that sampling and saving took. */
  readonly samplesPerSecond: number;
  /** Of training so far, over all processes that took part; again without sampling and saving. */
  readonly seconds: number;
  /** The share of the training time since the logged step before in which the step had to wait for its data, from 0 to 1; the largest of any rank. */
  readonly dataWait: number;
  /** Of a run of several ranks: how many, */
  readonly ranks?: number;
  /** seconds of a step in which a rank computes, the median of all ranks; */
  readonly computing?: number;
  /** seconds of a step in which a rank waits for what others send, the least of any rank: what is beyond that is waiting for slower ones; */
  readonly communication?: number;
  /** the share of the time in which ranks compute, from 0 to 1, the mean of all ranks; */
  readonly efficiency?: number;
  /** the one that computes longest, and how many times as long as the median of the others. */
  readonly slowestRank?: number;
  readonly slowdown?: number;
  /** Steps so far that changed nothing: their loss or gradient was not finite, or in fp16 their gradients overflowed. */
  readonly skipped: number;
  /** Passes over the data so far: 1.5 is the middle of the second. */
  readonly epoch: number;
  /** Of data at several sizes: that of this step's samples, height by width. */
  readonly size?: string;
  /** The mean loss of the steps since the logged step before, by the size of their samples; sizes that none had are absent. */
  readonly lossBySize?: Readonly<Record<string, number>>;
  /** Of a run of stages: in which it was, 1 for the first. */
  readonly stage?: number;
  /** Of a velocity's step, by quarters of its samples' times from 0 (data) to 1 (noise); null where no sample fell into one. */
  readonly lossByTime?: readonly (number | null)[];
  /** What the loss of an autoencoder's step is made of: the mean absolute error, and the KL without its weight. */
  readonly lossParts?: Readonly<Record<'reconstruction' | 'kl', number>>;
  /** Before clipping, by `blocks.0`, `final_layer`, ... */
  readonly gradNormByBlock: Readonly<Record<string, number>>;
  /** The norm of what the step changed, in proportion to that of the weights; about 1e-3 is usual. */
  readonly updateRatio: number;
  /** The distance of the averaged weights from the weights, in proportion to the norm of the weights. */
  readonly emaDistance: number;
  /** Model FLOP utilisation, from 0 to 1: the share of the machine's peak. Absent where the peak is not known. */
  readonly mfu?: number;
  /** Bytes of the process in memory, now and at most so far. Absent where the machine does not tell. */
  readonly memory?: number;
  readonly peakMemory?: number;
  /** With `heldOut`, when it is due: see `HeldOutLosses`. */
  readonly heldOutLoss?: number;
  readonly heldOutLossEma?: number;
  readonly heldOutLossUnconditional?: number;
  readonly trainedLoss?: number;
  readonly heldOutLossBySize?: Readonly<Record<string, number>>;
  /** Of held-out pictures and what an autoencoder with averaged weights makes of them: mean absolute error, and PSNR in decibels. */
  readonly heldOutL1?: number;
  readonly heldOutPsnr?: number;
}

/** Told what happens, as it happens. None of these may throw. */
export interface TrainObserver {
  /** What training will take and how its steps are divided, before any of that is allocated. */
  onPlan?(plan: TrainingPlan): void;
  onStart?(start: TrainStart): void;
  /** Every `train.logEvery` steps, and at the first and last. */
  onStep?(metrics: StepMetrics): void;
  onSamples?(step: number, path: string): void;
  /** When a checkpoint is whole and on the disk, which may be some steps later. */
  onCheckpoint?(step: number, path: string): void;
  /** A sentence that the user should read: a damaged checkpoint that was passed over, say. */
  onNotice?(text: string): void;
}

export interface TrainStart {
  /** The run's folder. */
  readonly run: string;
  /** Steps done before; 0 for a new run. */
  readonly step: number;
  readonly steps: number;
  /** Of a run of stages: the one that begins or goes on, in words. */
  readonly stage?: string | undefined;
  /** The last step at that speed, and how many such steps those after it are worth; by default `steps` and 0. */
  readonly until?: number | undefined;
  readonly later?: number | undefined;
  /** Trainable ones. */
  readonly parameters: number;
  /** `Backend.describe()` */
  readonly backend: string;
  /** The data set's name and how many samples it has. */
  readonly data: string;
  readonly samples: number;
  /** Of data at several sizes: each, height by width, and how many samples of it make a step. */
  readonly sizes?: readonly { readonly name: string; readonly batchSize: number }[];
  /** What the model is told of them: `labels (12 classes, by folder)`. */
  readonly told: string;
}

/** What has become of a run. */
export interface TrainResult {
  /** The run's folder. */
  readonly run: string;
  /** Optimizer steps done. */
  readonly step: number;
  /** False where a signal stopped the run before its last step. */
  readonly finished: boolean;
  /** Of training, in all processes that took part; sampling and saving are left out. */
  readonly seconds: number;
  /** Of the last step logged by this process. */
  readonly metrics: StepMetrics | undefined;
  /** The path of the last checkpoint; undefined where no step was done. */
  readonly checkpoint: string | undefined;
  /** The path of the last grid of samples made by this process. */
  readonly samples: string | undefined;
  /** Of a run of an autoencoder that has ended, where it is kept in files: the folder that others read it from. */
  readonly autoencoder?: string | undefined;
}

/** Measures time while it runs, in seconds. */
export class Stopwatch {
  #seconds: number;
  #since: number | undefined;

  constructor(seconds = 0) {
    this.#seconds = seconds;
  }

  get seconds(): number {
    return this.#seconds + (this.#since === undefined ? 0 : (performance.now() - this.#since) / 1000);
  }

  start(): void {
    this.#since ??= performance.now();
  }

  stop(): void {
    this.#seconds = this.seconds;
    this.#since = undefined;
  }

  /** Runs while something is done. */
  async during<T>(use: () => Promise<T>): Promise<T> {
    this.start();
    try {
      return await use();
    } finally {
      this.stop();
    }
  }
}
