import type { MetricsLog } from '../checkpoint/metrics-log.ts';
import type { RunFolder } from '../checkpoint/run-folder.ts';
import type { EventLog } from '../checkpoint/tensorboard.ts';
import { type RectiflowError, runError } from '../tensor/errors.ts';
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
  readonly #run: string;
  readonly #file: MetricsLog;
  readonly #events: EventLog;
  readonly #batchSize: number;
  #step: number;
  #seconds: number;
  #waited = 0;
  #metrics: StepMetrics | undefined;

  private constructor(
    run: string,
    file: MetricsLog,
    events: EventLog,
    batchSize: number,
    step: number,
    seconds: number,
  ) {
    this.watch = new Stopwatch(seconds);
    this.#run = run;
    this.#file = file;
    this.#events = events;
    this.#batchSize = batchSize;
    this.#step = step;
    this.#seconds = seconds;
  }

  /**
   * Goes on after `step` and `seconds` of training.
   * @param onProblem is told what TensorBoard will not show; the run does not end for it
   */
  static async open(
    folder: RunFolder,
    batchSize: number,
    step: number,
    seconds: number,
    onProblem: (problem: RectiflowError) => void,
  ): Promise<StepLog> {
    const file = await folder.openMetrics(step);
    const events = await folder.openEvents(step, onProblem);
    return new StepLog(folder.path, file, events, batchSize, step, seconds);
  }

  /** The step logged last; where nothing is logged yet, the step that the run goes on after. */
  get step(): number {
    return this.#step;
  }

  /** Of the step that this process logged last. */
  get metrics(): StepMetrics | undefined {
    return this.#metrics;
  }

  /**
   * @param lastGood the path of the last checkpoint, for the error
   * @throws RectiflowError when the loss or the gradient norm is not finite
   */
  async write(logged: LoggedStep, lastGood: string | undefined): Promise<StepMetrics> {
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
    this.#checkFinite(metrics, lastGood);
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

  /** Numbers that are not finite spread to all weights and stay: no step that is not logged can hide them. */
  #checkFinite({ step, loss, gradNorm }: StepMetrics, lastGood: string | undefined): void {
    if (Number.isFinite(loss) && Number.isFinite(gradNorm)) return;
    const what = Number.isFinite(loss) ? `the gradient norm is ${gradNorm}` : `the loss is ${loss}`;
    const before = this.#metrics
      ? ` (at step ${this.#metrics.step}, the last that was logged, it was ${this.#metrics.loss.toPrecision(3)})`
      : '';
    const safe =
      lastGood === undefined
        ? 'No checkpoint was saved yet'
        : `The last good checkpoint is ${lastGood}; nothing was saved over it`;
    const advice = 'Train again with a lower optimizer.learningRate, and with optimizer.clipNorm above 0';
    throw runError(this.#run, `training diverged: ${what} at step ${step}${before}. ${safe}`, advice);
  }
}
