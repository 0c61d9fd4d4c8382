// What training takes from the loader, and how long a step waits for it.
import { type ConfigInput, RectiflowError, type StepMetrics, recipeConfig, train } from 'rectiflow';
import type { LoaderSet } from './loader-sets.ts';
import { median } from './statistics.ts';
import { digits, markdownTable, percent } from './table.ts';

/** Steps that are logged together; the first such group does not count. */
const logEvery = 5;

/** Short runs of the recipes, and of DiT-S at 256 tokens on each of the sets. */
export async function measureSteps(
  runs: string,
  sets: readonly LoaderSet[],
  isQuick: boolean,
): Promise<string[]> {
  const large = { preset: 'DiT-S/4' } as const;
  const configs: (readonly [string, ConfigInput, number])[] = [
    ['the recipe digits', recipeConfig('digits'), 60],
    ['the recipe emoji', recipeConfig('emoji'), 60],
    ...sets.map(
      ({ title, data }) =>
        [
          `DiT-S, 256 tokens, batch 16, on ${title}`,
          { data, model: large, train: { batchSize: 16 } } as ConfigInput,
          30,
        ] as const,
    ),
  ];
  const rows: string[][] = [];
  for (const [title, config, steps] of configs) {
    console.error(`training: ${title}`);
    try {
      rows.push([title, ...(await measureRun(runs, config, isQuick ? 3 * logEvery : steps))]);
    } catch (error) {
      if (!(error instanceof RectiflowError)) throw error;
      console.error(`${title} is left out: ${error.message}`);
    }
  }
  const header = ['training', 'images/s', 'ms per step', 'of it waiting for data'];
  return [`**steps**`, '', ...markdownTable(header, rows)];
}

async function measureRun(runs: string, config: ConfigInput, steps: number): Promise<string[]> {
  // It is stopped before its last step: a run that ends makes samples.
  const settings = { ...config.train, steps: steps + 1, logEvery, sampleEvery: 0, checkpointEvery: 0 };
  const stop = new AbortController();
  const records: StepMetrics[] = [];
  const onStep = (metrics: StepMetrics): void => {
    records.push(metrics);
    if (metrics.step === steps) stop.abort();
  };
  await train({ ...config, train: settings }, { runs, signal: stop.signal, onStep });
  // The first record is of one step, the second of the rest of its group: by then all memory has been touched.
  const counted = records.slice(2);
  const rate = median(counted.map(({ imagesPerSecond }) => imagesPerSecond));
  const waiting = median(counted.map(({ dataWait }) => dataWait));
  return [digits(rate), digits((1000 * settings.batchSize!) / rate), percent(waiting)];
}
