// What training takes from the loader, and how long a step waits for it.
import { type ConfigInput, RectiflowError, type StepMetrics, recipeConfig, train } from 'rectiflow';
import type { LoaderSet } from './loader-sets.ts';
import { median } from './statistics.ts';
import { digits, markdownTable, percent } from './table.ts';

/** Steps that are logged together; the first such group does not count. */
const logEvery = 5;

interface Training {
  readonly title: string;
  readonly config: ConfigInput;
  readonly steps: number;
  /** Of all rounds. */
  readonly records: StepMetrics[];
}

/**
 * Short runs of the recipes, and of DiT-S at 256 tokens on each of the sets. They take turns; every other round goes
 * backwards.
 */
export async function measureSteps(
  runs: string,
  sets: readonly LoaderSet[],
  rounds: number,
): Promise<string[]> {
  const recipe = (name: string): Training => ({
    title: `the recipe ${name}`,
    config: recipeConfig(name),
    steps: 60,
    records: [],
  });
  const onSet = ({ title, data }: LoaderSet): Training => ({
    title: `DiT-S, 256 tokens, batch 16, on ${title}`,
    config: { data, model: { preset: 'DiT-S/4' }, train: { batchSize: 16 } } as ConfigInput,
    steps: 4 * logEvery,
    records: [],
  });
  const trainings = [recipe('digits'), recipe('emoji'), ...sets.map(onSet)];
  for (let round = 0; round < rounds; round++) {
    for (const training of round % 2 === 0 ? trainings : trainings.toReversed()) {
      console.error(`steps: round ${round + 1} of ${rounds}: ${training.title}`);
      await addRun(training, runs);
    }
  }
  const rows = trainings.filter(({ records }) => records.length > 0).map(summarize);
  const header = ['training', 'images/s', 'ms per step', 'of it waiting for data'];
  return ['**steps**', '', ...markdownTable(header, rows)];
}

/** Leaves out what needs data that is not there. */
async function addRun({ title, config, steps, records }: Training, runs: string): Promise<void> {
  const stop = new AbortController();
  const onStep = (metrics: StepMetrics): void => {
    // The first record is of one step, the second of the rest of its group: by then all memory has been touched.
    if (metrics.step > logEvery) records.push(metrics);
    if (metrics.step === steps) stop.abort();
  };
  // It is stopped before its last step: a run that ends makes samples.
  const settings = { ...config.train, steps: steps + 1, logEvery, sampleEvery: 0, checkpointEvery: 0 };
  try {
    await train({ ...config, train: settings }, { runs, signal: stop.signal, onStep });
  } catch (error) {
    if (!(error instanceof RectiflowError)) throw error;
    console.error(`${title} is left out: ${error.message}`);
  }
}

function summarize({ title, config, records }: Training): string[] {
  const rate = median(records.map(({ samplesPerSecond }) => samplesPerSecond));
  const waiting = median(records.map(({ dataWait }) => dataWait));
  return [title, digits(rate), digits((1000 * config.train!.batchSize!) / rate), percent(waiting)];
}
