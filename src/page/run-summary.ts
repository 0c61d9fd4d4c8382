// One run of the list: little is read of it, and nothing again that has not changed.
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { listCheckpoints } from '../runs/checkpoint.ts';
import { seeHolder } from '../runs/holder.ts';
import type { RunRecord } from '../kept/record.ts';
import { checkpointFolder } from '../runs/run-folder.ts';
import { RectiflowError } from '../tensor/errors.ts';
import type { LogRecord, RunSummary } from './contract.ts';
import { OpenLog } from './log-file.ts';
import { numberIn, parseRecord, toNum } from './records.ts';
import { ReadOnce } from './read-once.ts';
import { type RunPlace, fileOf } from './run-place.ts';
import { recordOf } from './run-record.ts';
import { listSamples } from './sample-files.ts';
import { type Settings, settingsOf } from './run-settings.ts';
import { stateOf } from './run-state.ts';

/** Of a log's end, in bytes: first a little, which has a few records as a rule, then more. */
const tails = [8 << 10, 64 << 10];
/** The speed of a run is taken from at most so many of its last records. */
const paceRecords = 20;

/** What config.json says, or why it cannot be read. */
interface ConfigSaid {
  readonly record: RunRecord | undefined;
  readonly problem: string | undefined;
}

/** What the end of the log says. */
interface LogSaid {
  readonly last: readonly LogRecord[];
  readonly updated: string | null;
}

const noLog: LogSaid = { last: [], updated: null };

/** Remembers what it has read of runs, by their paths. */
export class Summaries {
  readonly #configs = new ReadOnce(readConfig);
  readonly #logs = new ReadOnce(readEnd);
  readonly #pictures = new ReadOnce(lastGrid);

  /** How often files and folders of runs were read, for tests. */
  get reads(): { readonly configs: number; readonly logs: number; readonly pictures: number } {
    return { configs: this.#configs.reads, logs: this.#logs.reads, pictures: this.#pictures.reads };
  }

  async of(place: RunPlace): Promise<RunSummary> {
    const { name, path } = place;
    const [names, log, pictures] = await Promise.all([
      readdir(path),
      inRun(path, 'metrics.jsonl'),
      inRun(path, 'samples'),
    ]);
    const { record, problem } = await this.#configs.of(path, join(path, 'config.json'));
    const { last, updated } = log === undefined ? noLog : await this.#logs.of(path, log);
    const settings = settingsOf(record?.config);
    const newest = last.at(-1);
    const step = newest?.step ?? (await listCheckpoints(checkpointFolder(path)).catch(() => [])).at(-1) ?? 0;
    const holder = await seeHolder(path, names).catch(() => ({ state: 'free' }) as const);
    const isPaused = names.includes('steering') && existsSync(join(path, 'steering', 'paused'));
    const state = stateOf({ problem, holder, isPaused, step, steps: settings.steps });
    const number = (field: string): number | null => (newest && finite(numberIn(newest, field))) ?? null;
    const loss = newest && numberIn(newest, 'loss');
    return {
      name,
      created: typeof record?.created === 'string' ? record.created : null,
      ...state,
      step,
      steps: settings.steps,
      epoch: number('epoch'),
      loss: loss === undefined ? null : toNum(loss),
      secondsLeft: state.state === 'training' ? secondsLeft(last, settings) : null,
      seconds: number('seconds'),
      samplesPerSecond: number('samplesPerSecond'),
      updated,
      picture: pictures === undefined ? null : await this.#pictures.of(path, pictures),
      kind: settings.kind,
      data: settings.data,
    };
  }

  /** Forgets the runs that are gone. */
  keep(paths: ReadonlySet<string>): void {
    for (const read of [this.#configs, this.#logs, this.#pictures]) read.keep(paths);
  }
}

async function readConfig(path: string): Promise<ConfigSaid> {
  try {
    return { record: await recordOf(dirname(path)), problem: undefined };
  } catch (error) {
    return { record: undefined, problem: problemOf(error as Error) };
  }
}

async function readEnd(path: string): Promise<LogSaid> {
  return { last: await lastRecords(path), updated: await modifiedAt(path) };
}

async function lastGrid(folder: string): Promise<string | null> {
  return (await listSamples(folder)).findLast(({ kind }) => kind === 'grid')?.file ?? null;
}

/** Its path; undefined too where it leads out of the run. */
function inRun(run: string, name: string): Promise<string | undefined> {
  return fileOf(run, name).catch(() => undefined);
}

function problemOf(error: Error): string {
  return error instanceof RectiflowError ? error.message : 'config.json cannot be read.';
}

async function modifiedAt(path: string): Promise<string | null> {
  return stat(path).then(
    ({ mtime }) => mtime.toISOString(),
    () => null,
  );
}

/** The last records of a log, at least two where they are near its end. */
async function lastRecords(path: string): Promise<LogRecord[]> {
  const read = async (log: OpenLog): Promise<LogRecord[]> => {
    let records: LogRecord[] = [];
    for (const bytes of tails) {
      const lines = await log.tail(bytes);
      records = lines
        .map(parseRecord)
        .filter((record) => record !== undefined)
        .slice(-paceRecords);
      if (records.length > 1 || bytes >= log.mark.size) break;
    }
    return records;
  };
  return OpenLog.with(path, read).catch(() => []);
}

function finite(value: number | undefined): number | undefined {
  return value !== undefined && Number.isFinite(value) ? value : undefined;
}

/** By the time that the last steps took; by all of them where there is but one record. */
function secondsLeft(last: readonly LogRecord[], { steps }: Settings): number | null {
  const [first, newest] = [last[0], last.at(-1)];
  if (!first || !newest || steps === null) return null;
  const isOne = first === newest;
  const [from, to] = [isOne ? 0 : finite(numberIn(first, 'seconds')), finite(numberIn(newest, 'seconds'))];
  const done = newest.step - (isOne ? 0 : first.step);
  if (from === undefined || to === undefined || done <= 0 || to < from) return null;
  return ((to - from) / done) * Math.max(0, steps - newest.step);
}
