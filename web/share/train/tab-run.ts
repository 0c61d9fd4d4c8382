// Where a training in the tab is kept: as a run in the storage of the browser, or in the memory of the tab where a page is given none.
import type { Source } from '../../../src/data/source.ts';
import { keptConfig } from '../../../src/kept/config.ts';
import type { RunData } from '../../../src/kept/data.ts';
import { type NotedTraining, keptNotes } from '../../../src/kept/notes.ts';
import type { RectiflowError } from '../../../src/tensor/errors.ts';
import { othersTurn } from '../../../src/tensor/turn.ts';
import type { SampleWriter } from '../../../src/train/gallery.ts';
import { MemoryStore } from '../../../src/train/memory-store.ts';
import type { TrainingNotes } from '../../../src/train/prepare.ts';
import type { RunLog } from '../../../src/train/run-log.ts';
import type { RunStore, StoredCheckpoint } from '../../../src/train/run-store.ts';
import { type SampleGrid, gridRows, rowTitle } from '../../../src/train/sample-grid.ts';
import type { StepMetrics } from '../../../src/train/metrics.ts';
import type { TrainingConfig } from '../../../src/train/settings.ts';
import { type HeldRun, KeptRuns } from '../kept/kept-runs.ts';
import type { Opened, SampleFrame } from './protocol.ts';

/** Shows samples of a step. @returns their picture, a PNG file */
type Show = (step: number, grid: SampleGrid) => Promise<Uint8Array>;
type Trains = Pick<NotedTraining, 'backend' | 'checkpoint' | 'conditioning'>;

export interface TabRun {
  readonly config: TrainingConfig;
  readonly source: Source;
  readonly store: RunStore;
  /** Undefined where nothing is kept. */
  readonly held: HeldRun | undefined;
  /** Where training goes on; undefined at its beginning. @param onDamaged told of newer checkpoints that are not whole */
  latest(onDamaged?: (problem: RectiflowError) => void): Promise<StoredCheckpoint | undefined>;
  /** @param step that it goes on after */
  log(step: number, onNotice: (text: string) => void): Promise<RunLog>;
  samples(show: Show): SampleWriter;
  /** What checkpoints tell beside what training knows. */
  notes(trains: Trains): Promise<TrainingNotes>;
  /** Lets other tabs have it. */
  release(): void;
}

/** The runs that the browser keeps; none on a page of http:, which is told why. */
export async function openKeptRuns(): Promise<{
  readonly runs?: KeptRuns;
  readonly lostBecause?: string | undefined;
}> {
  try {
    const runs = await KeptRuns.open();
    return { runs, lostBecause: runs.lostBecause };
  } catch (error) {
    return { lostBecause: (error as Error).message };
  }
}

/** What new runs are called; a number follows where that is taken. */
const newName = 'my-pictures';

/** @param runs undefined where the page is given no storage and no checksums */
export async function beginRun(
  training: TrainingConfig,
  data: RunData,
  runs: KeptRuns | undefined,
): Promise<TabRun> {
  if (runs === undefined) return runInMemory(training, data.source);
  const config = keptConfig(training, { name: newName, data: data.settings, precision: 'fp32' });
  return keptRun(await runs.create(config, data), data);
}

/** Takes up one that is kept. @throws RectiflowError where another tab has it, or it is damaged */
export async function openRun(name: string, runs: KeptRuns): Promise<TabRun> {
  const held = await runs.open(name);
  try {
    return keptRun(held, await held.run.data());
  } catch (error) {
    held.release();
    throw error;
  }
}

/** What the page shows of a run that is taken up again. */
export async function openedRun({ config, source, held, latest }: TabRun): Promise<Opened> {
  const { run } = held!;
  const step = (await latest())?.step ?? null;
  const records = (await run.metrics()).filter((record) => record.step <= (step ?? 0));
  const metrics = records.map(
    (record) => Object.fromEntries(Object.entries(record).map(withNumbers)) as unknown as StepMetrics,
  );
  const rows = gridRows(config.sample).map((row) => rowTitle(row, source.classNames));
  const samples: SampleFrame[] = [];
  for (const each of await run.pictureSteps()) {
    const picture = await run.picture(each);
    if (picture && each <= (step ?? 0)) samples.push({ step: each, picture: new Blob([picture]), rows });
  }
  return { config, metrics, samples, step };
}

/** Numbers that are none are texts in JSON. */
function withNumbers([name, value]: readonly [string, unknown]): [string, unknown] {
  const isNumber = typeof value === 'string' && ['NaN', 'Infinity', '-Infinity'].includes(value);
  return [name, isNumber ? Number(value) : value];
}

function keptRun(held: HeldRun, { source }: RunData): TabRun {
  const { run } = held;
  const { config } = run;
  return {
    config,
    source,
    store: run,
    held,
    latest: async (onDamaged) => ((await run.checkpoints()).length > 0 ? run.latest(onDamaged) : undefined),
    log: (step, onNotice) => run.log(step, onNotice),
    samples(show) {
      const written = (step: number): SampleWriter =>
        run.samples(async (grid) => ({ grid: await show(step, grid) }));
      return {
        write: (step, grid) => written(step).write(step, grid),
        has: (step) => written(step).has(step),
      };
    },
    notes: (trains) => keptNotes({ config, ...trains }, source),
    release: held.release,
  };
}

function runInMemory(config: TrainingConfig, source: Source): TabRun {
  const store = new MemoryStore('the run in this tab');
  const shown = new Set<number>();
  return {
    config,
    source,
    store,
    held: undefined,
    latest: async () => (store.checkpoints.length > 0 ? store.latest() : undefined),
    log: async () => ({ append: othersTurn }),
    samples: (show) => ({
      async write(step, grid) {
        await show(step, grid);
        shown.add(step);
        return { path: `samples of step ${step}`, pictures: {} };
      },
      has: async (step) => shown.has(step),
    }),
    notes: async ({ conditioning: { learnt } }) => (learnt ? { state: { data: { tokenizer: learnt } } } : {}),
    release: () => {},
  };
}
