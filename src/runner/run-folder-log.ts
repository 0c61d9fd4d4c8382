// What a run's folder and its sinks are told while it trains.
import { basename } from 'node:path';
import type { MetricsLog } from '../runs/metrics-log.ts';
import type { MetricsRecord } from '../kept/metrics-lines.ts';
import type { RunFolder } from '../runs/run-folder.ts';
import type { MetricSink } from '../sinks/metric-sink.ts';
import { openSinks } from '../sinks/open-sinks.ts';
import type { RemoteEvent } from '../sinks/remote-sink.ts';
import { Sinks } from '../sinks/sinks.ts';
import type { StepMetrics, TrainObserver } from '../train/metrics.ts';
import type { RunLog, RunOutcome } from '../train/run-log.ts';
import { loggedEvents } from './logged-events.ts';
import type { PreparedRun } from './prepare-run.ts';
import { scalarsOf, spreadsOf } from './scalars.ts';

/** Where numbers go, as the program that trains has it. */
export interface OwnSinks {
  /**
   * Where metrics go, beside the sinks that the config names. Where a GPU was lost and the run goes on from a checkpoint, they are ended as of a
   * run that failed, and started as of one that is resumed.
   */
  readonly sinks?: readonly MetricSink[] | undefined;
  /**
   * Addresses, as in https://wandb.example.org, that may be sent the keys of W&B and MLflow in the environment, beside those that
   * WANDB_BASE_URL and MLFLOW_TRACKING_URI name. A config can choose among them, and name no other.
   */
  readonly sendKeysTo?: readonly string[] | undefined;
}

/** The log of a run, where it goes on. */
export async function openLog(
  { config, checkpoint }: PreparedRun,
  folder: RunFolder,
  observer: TrainObserver,
  { sinks = [], sendKeysTo }: OwnSinks,
): Promise<RunFolderLog> {
  const step = checkpoint?.step ?? 0;
  let log: RunFolderLog | undefined;
  const onNotice = (text: string): void => {
    observer.onNotice?.(text);
    folder.note(log?.step ?? step, text);
  };
  const name = basename(folder.path);
  const run = { name, config: { ...config, name }, step };
  const logged = (last: number): Promise<RemoteEvent[]> => loggedEvents(folder, last);
  const configured = openSinks(config.sinks, { folder, onNotice, logged, sendKeysTo });
  const all = new Sinks([...configured, ...sinks], run, { onNotice });
  try {
    log = await RunFolderLog.open({ folder, sinks: all, step, onNotice });
    return log;
  } catch (error) {
    await all.close('failed');
    throw error;
  }
}

interface RunFolderLogOptions {
  readonly folder: RunFolder;
  /** Are closed with it. */
  readonly sinks: Sinks;
  /** The step that it goes on after. */
  readonly step: number;
  readonly onNotice: (text: string) => void;
}

/** Writes to metrics.jsonl and notices.log, and tells the run's sinks. */
export class RunFolderLog implements RunLog {
  readonly #options: RunFolderLogOptions;
  #file: MetricsLog;
  #step: number;
  /** Steps that were logged before, which come again. */
  #before: Map<number, MetricsRecord>;

  private constructor(options: RunFolderLogOptions, file: MetricsLog) {
    this.#options = options;
    this.#file = file;
    this.#step = options.step;
    this.#before = new Map(file.dropped.map((record) => [record.step, record]));
  }

  static async open(options: RunFolderLogOptions): Promise<RunFolderLog> {
    return new RunFolderLog(options, await openFile(options, options.step));
  }

  /** The step logged last; where nothing is logged yet, the step that the run goes on after. */
  get step(): number {
    return this.#step;
  }

  async append(metrics: StepMetrics): Promise<void> {
    const { folder, sinks } = this.#options;
    await folder.check();
    await this.#file.append({ ...metrics });
    const before = this.#before.get(metrics.step);
    if (before && !isAlike(before, metrics)) this.#void(this.#step);
    sinks.scalars(metrics.step, scalarsOf(metrics));
    sinks.histograms(metrics.step, spreadsOf(metrics));
    this.#step = metrics.step;
  }

  async goBack(step: number): Promise<void> {
    this.#file = await openFile(this.#options, step);
    this.#void(step);
    this.#step = step;
  }

  /** What was told of later steps does not count. */
  #void(step: number): void {
    this.#before.clear();
    this.#options.sinks.goBack(step);
  }

  image(step: number, tag: string, path: string): void {
    this.#options.sinks.image(step, tag, path);
  }

  notice(step: number, text: string): void {
    this.#options.folder.note(step, text);
    this.#options.sinks.notice(step, text);
  }

  async sync(): Promise<void> {
    await this.#file.sync();
    await this.#options.sinks.sync();
  }

  async close(outcome: RunOutcome): Promise<void> {
    await this.#options.sinks.close(outcome);
  }
}

/** Whether a step that comes again was trained alike: a run that is resumed with other settings goes another way. */
function isAlike(before: MetricsRecord, now: StepMetrics): boolean {
  const names = ['loss', 'gradNorm', 'learningRate'] as const;
  return names.every((name) => Object.is(Number(before[name]), now[name]));
}

function openFile({ folder, onNotice }: RunFolderLogOptions, step: number): Promise<MetricsLog> {
  return folder.openMetrics(step, ({ message }) => onNotice(message));
}
