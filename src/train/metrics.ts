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
  /** The share of the training time since the logged step before in which the step had to wait for its data, from 0 to 1. */
  readonly dataWait: number;
  /** Passes over the data so far: 1.5 is the middle of the second. */
  readonly epoch: number;
}

/** Told what happens, as it happens. None of these may throw. */
export interface TrainObserver {
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
  /** Trainable ones. */
  readonly parameters: number;
  /** `Backend.describe()` */
  readonly backend: string;
  /** The data set's name and how many samples it has. */
  readonly data: string;
  readonly samples: number;
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
}
