// Trainings of several ranks of one process, as those that MPI starts.
import type { Backend } from '../../src/backends/backend.ts';
import type { Source } from '../../src/data/source.ts';
import type { Communicator } from '../../src/train/communicator.ts';
import type { TrainingConfig } from '../../src/train/settings.ts';
import { type PreparedTraining, assembleTraining } from '../../src/train/prepare.ts';
import { Stopwatch } from '../../src/train/metrics.ts';
import { Submitter } from '../../src/train/submitter.ts';
import { trainingData } from '../../src/train/training-data.ts';
import { ranksOfProcess } from './ranks.ts';

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
      const backend = create();
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
    waiting: new Stopwatch(),
    onBatch: () => {},
    onNotice: () => {},
  });
  for (let step = 1; step <= steps; step++)
    await (await submitter.submit({ step, update: step, lossScale: undefined }, true))!.told;
  submitter.close();
}
