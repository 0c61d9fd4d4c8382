import type { MetricsLog } from '../checkpoint/metrics-log.ts';
import type { RunFolder } from '../checkpoint/run-folder.ts';
import type { Sinks } from '../sinks/sinks.ts';
import type { RunOutcome } from '../sinks/metric-sink.ts';
import { runError } from '../tensor/errors.ts';
import { type StepMetrics, Stopwatch } from './metrics.ts';

/** What is known of a step when it is logged; the log adds the times. */
export type LoggedStep = Omit<StepMetrics, 'samplesPerSecond' | 'seconds' | 'dataWait'>;

/** The times and numbers of a run's steps, which it writes to metrics.jsonl and tells the run's sinks. */
export class StepLog {
  /** Runs while the trainer trains. */
  readonly watch: Stopwatch;
  /** Runs while it waits for data, which is part of training. */
  readonly waiting: Stopwatch = new Stopwatch();
  readonly #run: string;
  readonly #file: MetricsLog;
  readonly #sinks: Sinks;
  readonly #batchSize: number;
  #step: number;
  #seconds: number;
  #waited = 0;
  #metrics: StepMetrics | undefined;

  private constructor(
    run: string,
    file: MetricsLog,
    sinks: Sinks,
    batchSize: number,
    step: number,
    seconds: number,
  ) {
    this.watch = new Stopwatch(seconds);
    this.#run = run;
    this.#file = file;
    this.#sinks = sinks;
    this.#batchSize = batchSize;
    this.#step = step;
    this.#seconds = seconds;
  }

  /** Goes on after `step` and `seconds` of training. @param sinks are closed with it */
  static async open(
    folder: RunFolder,
    sinks: Sinks,
    batchSize: number,
    step: number,
    seconds: number,
  ): Promise<StepLog> {
    const file = await folder.openMetrics(step);
    return new StepLog(folder.path, file, sinks, batchSize, step, seconds);
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
    const metrics = { ...logged, samplesPerSecond: samples / elapsed, seconds, dataWait };
    await this.#file.append(metrics);
    this.#sinks.scalars(metrics.step, {
      'train/loss': metrics.loss,
      'train/learning_rate': metrics.learningRate,
      'train/grad_norm': metrics.gradNorm,
      'train/samples_per_second': metrics.samplesPerSecond,
      'train/data_wait': metrics.dataWait,
    });
    this.#checkFinite(metrics, lastGood);
    this.#step = logged.step;
    this.#seconds = seconds;
    this.#waited = this.waiting.seconds;
    this.#metrics = metrics;
    return metrics;
  }

  /** @param path of the grid of samples that was made after `step` */
  writeSamples(step: number, path: string): void {
    this.#sinks.image(step, 'samples', path);
  }

  /** @param text that the user was told */
  writeNotice(text: string): void {
    this.#sinks.notice(this.#step, text);
  }

  /** Flushes to the disk. */
  async sync(): Promise<void> {
    await this.#file.sync();
    await this.#sinks.sync();
  }

  async close(outcome: RunOutcome): Promise<void> {
    await this.#sinks.close(outcome);
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
