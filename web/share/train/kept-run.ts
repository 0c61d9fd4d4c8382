// Where a training in the tab is kept: the one place that knows.
import { othersTurn } from '../../../src/tensor/turn.ts';
import { MemoryStore } from '../../../src/train/memory-store.ts';
import type { RunLog } from '../../../src/train/run-log.ts';
import type { RunStore, StoredCheckpoint } from '../../../src/train/run-store.ts';

export interface KeptRun {
  readonly store: RunStore;
  readonly log: RunLog;
  /** Where training goes on; undefined at its beginning. */
  latest(): Promise<StoredCheckpoint | undefined>;
  /** Keeps a picture of samples. @returns how people call it */
  keepSamples(step: number, picture: Blob): Promise<string>;
  hasSamples(step: number): Promise<boolean>;
}

/** A run in the memory of the tab, which ends with it. */
export function keptInMemory(): KeptRun {
  const store = new MemoryStore('the run in this tab');
  const shown = new Set<number>();
  return {
    store,
    // A step of a program never waits: messages would.
    log: { append: othersTurn },
    latest: async () => (store.checkpoints.length > 0 ? store.latest() : undefined),
    keepSamples: async (step) => {
      shown.add(step);
      return `samples of step ${step}`;
    },
    hasSamples: async (step) => shown.has(step),
  };
}
