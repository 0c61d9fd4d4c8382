import type { StepMetrics } from './metrics.ts';

/** How a run ended: with its last step, by a signal, or by an error. */
export type RunOutcome = 'finished' | 'stopped' | 'failed';

/** Where a run's numbers, pictures and notices go while it trains: files, servers, a page. All may be left out. */
export interface RunLog {
  /**
   * A step that is logged; training waits.
   * @throws RectiflowError of the code `run` where the run is no longer there, or no longer ours
   */
  append?(metrics: StepMetrics): Promise<void>;
  /** A picture that was made after a step, by its path. */
  image?(step: number, tag: string, path: string): void;
  /** A sentence that the user was told. */
  notice?(step: number, text: string): void;
  /** Training went back: what was logged after `step` is void. */
  goBack?(step: number): Promise<void>;
  /** Makes sure that nothing is behind the checkpoint that is saved next. */
  sync?(): Promise<void>;
  close?(outcome: RunOutcome): Promise<void>;
}
