// Trainings of several ranks of one process, as those that MPI starts.
import type { Backend } from '../../src/backends/backend.ts';
import type { Source } from '../../src/data/source.ts';
import type { BadStep } from '../../src/train/bad-steps.ts';
import type { Communicator } from '../../src/train/ranks/communicator.ts';
import type { SampleWriter } from '../../src/train/gallery.ts';
import type { MemoryStore } from '../../src/train/memory-store.ts';
import { type StepMetrics, Stopwatch, type TrainResult } from '../../src/train/metrics.ts';
import { type PreparedTraining, assembleTraining } from '../../src/train/prepare.ts';
import type { SampleGrid } from '../../src/train/sample-grid.ts';
import type { TrainingConfig } from '../../src/train/settings.ts';
import { Submitter } from '../../src/train/submitter.ts';
import { Trainer } from '../../src/train/trainer.ts';
import { trainingData } from '../../src/train/training-data.ts';
import type { TrainingHost } from '../../src/train/training-host.ts';
import { ranksOfProcess } from './ranks.ts';
import { sharedStores } from './shared-store.ts';

export interface RankTrainings {
  readonly config: (source: Source) => TrainingConfig;
  /** Each rank opens one of its own. */
  readonly open: (rank: number) => Source;
  readonly backend: () => Backend;
  /** One alone has no communicator. */
  readonly ranks: number;
  readonly onNotice?: (text: string, rank: number) => void;
}

/** Does the same on each rank with a training of its own. @returns what each returned, by rank */
export async function onTrainings<T>(
  { config: configOf, open, backend: create, ranks, onNotice }: RankTrainings,
  use: (training: PreparedTraining, rank: number) => Promise<T>,
): Promise<T[]> {
  const communicators: (Communicator | undefined)[] = ranks === 1 ? [undefined] : ranksOfProcess(ranks);
  return Promise.all(
    communicators.map(async (communicator, rank) => {
      const source = open(rank);
      const config = configOf(source);
      // The threads of a process serve one backend at a time when the peak is measured.
      const { measurePeak: _, ...backend } = create();
      const data = await trainingData({ config, source });
      const training = await assembleTraining({
        config,
        backend,
        data,
        communicator,
        onNotice: (text) => onNotice?.(text, rank),
      });
      try {
        return await use(training, rank);
      } finally {
        await training.dispose();
        await backend.dispose();
      }
    }),
  );
}

/** The first steps of a training, without what a trainer does beside them. */
export async function takeSteps(training: PreparedTraining, steps: number): Promise<void> {
  const submitter = new Submitter({
    training,
    configOf: () => training.config,
    waiting: new Stopwatch(),
    onBatch: () => {},
    onNotice: () => {},
  });
  for (let step = 1; step <= steps; step++)
    await (await submitter.submit({ step, update: step, lossScale: undefined }, true))!.told;
  submitter.close();
}

/** What a run of ranks came to, as its user sees it: what the first rank told. */
export interface RanksRun {
  readonly metrics: readonly StepMetrics[];
  readonly notices: readonly string[];
  readonly grids: readonly SampleGrid[];
  readonly badSteps: readonly BadStep[];
  /** Of each rank. */
  readonly results: readonly TrainResult[];
  readonly kept: MemoryStore;
}

export interface RanksRunOptions extends RankTrainings {
  /** A rank that is asked to stop after a logged step. */
  readonly stop?: { readonly rank: number; readonly after: number };
  readonly write?: SampleWriter['write'];
}

/** Trains on all ranks to the end. Only the first has a voice and shows samples. */
export async function trainOnRanks(options: RanksRunOptions): Promise<RanksRun> {
  const { stop, write = async (step) => ({ path: `step ${step}`, pictures: {} }) } = options;
  const metrics: StepMetrics[] = [];
  const notices: string[] = [];
  const grids: SampleGrid[] = [];
  const written = new Set<number>();
  const { stores, kept } = sharedStores(options.ranks);
  const asked = new AbortController();
  const host: Omit<TrainingHost, 'store'> = {
    observer: {
      onStep(step) {
        metrics.push(step);
        if (step.step === stop?.after) asked.abort();
      },
      onNotice: (text) => notices.push(text),
    },
    samples: {
      async write(step, grid) {
        grids.push(grid);
        const shown = await write(step, grid);
        written.add(step);
        return shown;
      },
      has: async (step) => written.has(step),
    },
  };
  const onNotice = (text: string, rank: number): void => void (rank === 0 && notices.push(text));
  const results = await onTrainings({ ...options, onNotice }, async (training, rank) => {
    const trainer = await Trainer.open(training, { ...(rank === 0 && host), store: stores[rank]! });
    return trainer.run(stop?.rank === rank ? asked.signal : undefined);
  });
  return { metrics, notices, grids, badSteps: kept.badSteps, results, kept };
}
