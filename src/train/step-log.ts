import type { HostMemory } from './host-memory.ts';
import { type StepMetrics, Stopwatch } from './metrics.ts';
import type { RankTimes, TimesOfRanks } from './ranks/rank-times.ts';
import type { RunLog, RunOutcome } from './run-log.ts';

/** What is known of a step when it is logged; the log adds times and memory. */
export type LoggedStep = Omit<
  StepMetrics,
  'samplesPerSecond' | 'seconds' | 'dataWait' | 'mfu' | 'memory' | 'peakMemory' | keyof TimesOfRanks
>;

/** Of a step. */
export interface StepWork {
  readonly samples: number;
  /** What they cost, in samples of the model's own shape. */
  readonly work: number;
}

export interface StepLogOptions {
  /** Is closed with it. */
  readonly log: RunLog;
  readonly memory: HostMemory | undefined;
  /** Where others train the same model. */
  readonly ranks?: RankTimes | undefined;
  /** The step that it goes on after. */
  readonly step: number;
  /** Of training until then. */
  readonly seconds: number;
}

/** The times and numbers of a run's steps, on their way to its log. */
export class StepLog {
  /** Runs while the trainer trains. */
  readonly watch: Stopwatch;
  /** Runs while it waits for data, which is part of training. */
  readonly waiting: Stopwatch = new Stopwatch();
  /** What the machine could train at its peak; set when that is known. */
  #mostSamplesPerSecond: number | undefined;
  readonly #options: StepLogOptions;
  #step: number;
  #seconds: number;
  #waited = 0;
  /** Of the steps since the one logged last. */
  #done: StepWork = { samples: 0, work: 0 };
  #metrics: StepMetrics | undefined;

  constructor(options: StepLogOptions) {
    this.watch = new Stopwatch(options.seconds);
    this.#options = options;
    this.#step = options.step;
    this.#seconds = options.seconds;
  }

  /** The step logged last; where nothing is logged yet, the step that the run goes on after. */
  get step(): number {
    return this.#step;
  }

  /** Of the step that this process logged last. */
  get metrics(): StepMetrics | undefined {
    return this.#metrics;
  }

  /** Counts a step that was done, to be told with the next one that is logged. */
  count({ samples, work }: StepWork): void {
    this.#done = { samples: this.#done.samples + samples, work: this.#done.work + work };
  }

  /** Drops what was logged after `step`, to go on from there. The time that it took still counts. */
  async goBack(step: number): Promise<void> {
    await this.#options.log.goBack?.(step);
    this.#step = step;
    this.#done = { samples: 0, work: 0 };
  }

  /** All ranks call it. Throws as `RunLog.append` does. */
  async write(logged: LoggedStep): Promise<StepMetrics> {
    const { log, memory, ranks } = this.#options;
    const { seconds } = this.watch;
    const { samples, work } = this.#done;
    const elapsed = seconds - this.#seconds;
    const samplesPerSecond = samples / elapsed;
    const dataWait = (this.waiting.seconds - this.#waited) / elapsed;
    const most = this.#mostSamplesPerSecond;
    const metrics: StepMetrics = {
      ...logged,
      samplesPerSecond,
      seconds,
      dataWait,
      ...(await ranks?.take(logged.step - this.#step, elapsed, dataWait)),
      ...(most && { mfu: work / elapsed / most }),
      ...(memory && { memory: memory.used(), peakMemory: memory.mostUsed() }),
    };
    await log.append?.(metrics);
    this.#step = logged.step;
    this.#seconds = seconds;
    this.#done = { samples: 0, work: 0 };
    this.#waited = this.waiting.seconds;
    this.#metrics = metrics;
    return metrics;
  }

  /** Once: it takes about 0.3 s. @param measure what the machine could train at its peak */
  async measurePeak(measure: () => Promise<number | undefined>): Promise<void> {
    this.#mostSamplesPerSecond ??= await measure();
  }

  /** @param path of a picture that was made after `step` */
  writeImage(step: number, tag: string, path: string): void {
    this.#options.log.image?.(step, tag, path);
  }

  /** @param text that the user was told */
  writeNotice(step: number, text: string): void {
    this.#options.log.notice?.(step, text);
  }

  async sync(): Promise<void> {
    await this.#options.log.sync?.();
  }

  async close(outcome: RunOutcome): Promise<void> {
    await this.#options.log.close?.(outcome);
  }
}
