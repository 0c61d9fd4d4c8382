import type { MetricsLog } from '../checkpoint/metrics-log.ts';
import type { RunFolder } from '../checkpoint/run-folder.ts';
import type { EventLog } from '../checkpoint/tensorboard.ts';
import type { RectiflowError } from '../tensor/errors.ts';
import { type StepMetrics, Stopwatch } from './metrics.ts';
import { scalarsOf } from './scalars.ts';

/** What is known of a step when it is logged; the log adds times and memory. */
export type LoggedStep = Omit<
  StepMetrics,
  'samplesPerSecond' | 'seconds' | 'dataWait' | 'mfu' | 'memory' | 'peakMemory'
>;

/** The times and numbers of a run's steps, which it writes to metrics.jsonl and for TensorBoard. */
export class StepLog {
  /** Runs while the trainer trains. */
  readonly watch: Stopwatch;
  /** Runs while it waits for data, which is part of training. */
  readonly waiting: Stopwatch = new Stopwatch();
  /** What the machine could train at its peak; set when that is known. */
  mostSamplesPerSecond: number | undefined;
  #file: MetricsLog;
  #events: EventLog;
  readonly #reopen: (step: number) => Promise<[MetricsLog, EventLog]>;
  readonly #batchSize: number;
  #step: number;
  #seconds: number;
  #waited = 0;
  #metrics: StepMetrics | undefined;

  private constructor(
    [file, events]: [MetricsLog, EventLog],
    reopen: (step: number) => Promise<[MetricsLog, EventLog]>,
    batchSize: number,
    step: number,
    seconds: number,
  ) {
    this.watch = new Stopwatch(seconds);
    this.#reopen = reopen;
    this.#file = file;
    this.#events = events;
    this.#batchSize = batchSize;
    this.#step = step;
    this.#seconds = seconds;
  }

  /**
   * Goes on after `step` and `seconds` of training.
   * @param onProblem is told what the logs will lack; the run does not end for it
   */
  static async open(
    folder: RunFolder,
    batchSize: number,
    step: number,
    seconds: number,
    onProblem: (problem: RectiflowError) => void,
  ): Promise<StepLog> {
    const openAfter = async (last: number): Promise<[MetricsLog, EventLog]> => [
      await folder.openMetrics(last, onProblem),
      await folder.openEvents(last, onProblem),
    ];
    return new StepLog(await openAfter(step), openAfter, batchSize, step, seconds);
  }

  /** Drops what was logged after `step`, to go on from there. The time that it took counts. */
  async goBack(step: number): Promise<void> {
    await this.close();
    [this.#file, this.#events] = await this.#reopen(step);
    this.#step = step;
  }

  /** The step logged last; where nothing is logged yet, the step that the run goes on after. */
  get step(): number {
    return this.#step;
  }

  /** Of the step that this process logged last. */
  get metrics(): StepMetrics | undefined {
    return this.#metrics;
  }

  async write(logged: LoggedStep): Promise<StepMetrics> {
    const { seconds } = this.watch;
    const samples = (logged.step - this.#step) * this.#batchSize;
    const elapsed = seconds - this.#seconds;
    const dataWait = (this.waiting.seconds - this.#waited) / elapsed;
    const samplesPerSecond = samples / elapsed;
    const metrics: StepMetrics = {
      ...logged,
      samplesPerSecond,
      seconds,
      dataWait,
      ...(this.mostSamplesPerSecond && { mfu: samplesPerSecond / this.mostSamplesPerSecond }),
      memory: process.memoryUsage.rss(),
      peakMemory: 1024 * process.resourceUsage().maxRSS,
    };
    await this.#file.append({ ...metrics });
    await this.#events.addScalars(metrics.step, scalarsOf(metrics));
    this.#step = logged.step;
    this.#seconds = seconds;
    this.#waited = this.waiting.seconds;
    this.#metrics = metrics;
    return metrics;
  }

  /** @param path of a picture that was made after `step` */
  async writeImage(step: number, tag: string, path: string): Promise<void> {
    await this.#events.addImage(step, tag, path);
  }

  /** Flushes to the disk. */
  async sync(): Promise<void> {
    await this.#file.sync();
    await this.#events.sync();
  }

  async close(): Promise<void> {
    await this.#events.close();
    await this.#file.close();
  }
}
