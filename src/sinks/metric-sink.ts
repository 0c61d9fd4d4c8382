import type { Histogram } from './histogram.ts';

/** How a run ended: with its last step, by a signal, or by an error. */
export type RunOutcome = 'finished' | 'stopped' | 'failed';

/** What a sink is told when a run starts or is resumed. */
export interface SinkStart {
  /** Of the run's folder. */
  readonly name: string;
  /** All settings, resolved; without passwords. */
  readonly config: Readonly<Record<string, unknown>>;
  /** The step that the run goes on after; 0 for a new run. Steps after it may come a second time. */
  readonly step: number;
}

/**
 * Where a run's numbers and pictures go beside metrics.jsonl. Calls come one after another, each when the one before has
 * ended; training does not wait for them. The first that throws is told to the user, and the sink is asked for nothing
 * more.
 */
export interface MetricSink {
  /** For messages. */
  readonly name: string;
  start?(run: SinkStart): void | Promise<void>;
  /**
   * What was told of steps after `step` does not count, and they come again: training went back to a checkpoint, or a run was
   * resumed and goes another way than before. Leave it out only where no step is kept.
   */
  goBack?(step: number): void | Promise<void>;
  /** @param values by tag, such as `train/loss`; may be NaN or infinite */
  scalars?(step: number, values: Readonly<Record<string, number>>): void | Promise<void>;
  histograms?(step: number, values: Readonly<Record<string, Histogram>>): void | Promise<void>;
  /** @param path of a PNG file, grey or RGB, in the run's folder */
  image?(step: number, tag: string, path: string): void | Promise<void>;
  /** A sentence that the user was told. */
  notice?(step: number, text: string): void | Promise<void>;
  /** Flushes to the disk. Training waits for this one, because a checkpoint is saved next; leave it out otherwise. */
  sync?(): void | Promise<void>;
  /** @param signal is aborted when the end has taken too long: what is not sent by then is given up */
  end?(outcome: RunOutcome, signal: AbortSignal): void | Promise<void>;
}
