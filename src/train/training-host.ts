import type { Steering } from '../steering/steering.ts';
import type { SampleWriter } from './gallery.ts';
import type { TrainObserver } from './metrics.ts';
import type { RunLog } from './run-log.ts';
import type { RunStore } from './run-store.ts';

/** Where a training happens, which knows of no files itself. */
export interface TrainingHost {
  /** Where the run is kept: a `MemoryStore`, a folder. */
  readonly store: RunStore;
  /** Where its numbers, pictures and notices go beside the observer. Is closed with the training. */
  readonly log?: RunLog | undefined;
  /** Where samples are shown; without, none are made. */
  readonly samples?: SampleWriter | undefined;
  /** What the run is asked while it trains. Is closed with the training. */
  readonly steering?: Steering | undefined;
  readonly observer?: TrainObserver | undefined;
}
