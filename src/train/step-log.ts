import type { MetricsLog, MetricsRecord } from '../runs/metrics-log.ts';
import type { RunFolder } from '../runs/run-folder.ts';
import type { RunOutcome } from '../sinks/metric-sink.ts';
import type { Sinks } from '../sinks/sinks.ts';
import { type StepMetrics, Stopwatch } from './metrics.ts';
import { scalarsOf, spreadsOf } from './scalars.ts';

/** What is known of a step when it is logged; the log adds times and memory. */
export type LoggedStep = Omit<
  StepMetrics,
  'samplesPerSecond' | 'seconds' | 'dataWait' | 'mfu' | 'memory' | 'peakMemory'
>;

export interface StepLogOptions {
  readonly folder: RunFolder;
  /** Are closed with it. */
  readonly sinks: Sinks;
  readonly batchSize: number;
  /** The step that it goes on after. */
  readonly step: number;
  /** Of training until then. */
  readonly seconds: number;
  readonly onNotice: (text: string) => void;
}

/** The times and numbers of a run's steps, which it writes to metrics.jsonl and tells the run's sinks. */
export class StepLog {
  /** Runs while the trainer trains. */
  readonly watch: Stopwatch;
  /** Runs while it waits for data, which is part of training. */
  readonly waiting: Stopwatch = new Stopwatch();
  /** What the machine could train at its peak; set when that is known. */
  mostSamplesPerSecond: number | undefined;
  readonly #options: StepLogOptions;
  #file: MetricsLog;
  #step: number;
  #seconds: number;
  #waited = 0;
  /** Steps that were logged before, which come again. */
  #before: Map<number, MetricsRecord>;
  #metrics: StepMetrics | undefined;

  private constructor(options: StepLogOptions, file: MetricsLog) {
    this.watch = new Stopwatch(options.seconds);
    this.#options = options;
    this.#file = file;
    this.#step = options.step;
    this.#seconds = options.seconds;
    this.#before = new Map(file.dropped.map((record) => [record.step, record]));
  }

  static async open(options: StepLogOptions): Promise<StepLog> {
    return new StepLog(options, await openFile(options, options.step));
  }

  /** The step logged last; where nothing is logged yet, the step that the run goes on after. */
  get step(): number {
    return this.#step;
  }

  /** Of the step that this process logged last. */
  get metrics(): StepMetrics | undefined {
    return this.#metrics;
  }

  /** Drops what was logged after `step`, to go on from there. The time that it took still counts. */
  async goBack(step: number): Promise<void> {
    this.#file = await openFile(this.#options, step);
    this.#void(step);
    this.#step = step;
  }

  /** @throws RectiflowError of the code `run` where the run's folder is no longer ours */
  async write(logged: LoggedStep): Promise<StepMetrics> {
    const { batchSize, sinks, folder } = this.#options;
    await folder.check();
    const { seconds } = this.watch;
    const samples = (logged.step - this.#step) * batchSize;
    const elapsed = seconds - this.#seconds;
    const samplesPerSecond = samples / elapsed;
    const metrics: StepMetrics = {
      ...logged,
      samplesPerSecond,
      seconds,
      dataWait: (this.waiting.seconds - this.#waited) / elapsed,
      ...(this.mostSamplesPerSecond && { mfu: samplesPerSecond / this.mostSamplesPerSecond }),
      memory: process.memoryUsage.rss(),
      peakMemory: 1024 * process.resourceUsage().maxRSS,
    };
    await this.#file.append({ ...metrics });
    const before = this.#before.get(logged.step);
    if (before && !isAlike(before, logged)) this.#void(this.#step);
    sinks.scalars(metrics.step, scalarsOf(metrics));
    sinks.histograms(metrics.step, spreadsOf(metrics));
    this.#step = logged.step;
    this.#seconds = seconds;
    this.#waited = this.waiting.seconds;
    this.#metrics = metrics;
    return metrics;
  }

  /** What was told of later steps does not count. */
  #void(step: number): void {
    this.#before.clear();
    this.#options.sinks.goBack(step);
  }

  /** @param path of a picture that was made after `step` */
  writeImage(step: number, tag: string, path: string): void {
    this.#options.sinks.image(step, tag, path);
  }

  /** @param text that the user was told */
  writeNotice(step: number, text: string): void {
    this.#options.folder.note(step, text);
    this.#options.sinks.notice(step, text);
  }

  /** Flushes to the disk. */
  async sync(): Promise<void> {
    await this.#file.sync();
    await this.#options.sinks.sync();
  }

  async close(outcome: RunOutcome): Promise<void> {
    await this.#options.sinks.close(outcome);
  }
}

/** Whether a step that comes again was trained alike: a run that is resumed with other settings goes another way. */
function isAlike(before: MetricsRecord, now: LoggedStep): boolean {
  const names = ['loss', 'gradNorm', 'learningRate'] as const;
  return names.every((name) => Object.is(Number(before[name]), now[name]));
}

function openFile({ folder, onNotice }: StepLogOptions, step: number): Promise<MetricsLog> {
  return folder.openMetrics(step, ({ message }) => onNotice(message));
}
