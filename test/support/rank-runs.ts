// Whole runs by the command line, as ranks that are processes.
import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { digestFile } from '../../src/host/durable.ts';
import { stepName } from '../../src/runs/checkpoint.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { dist } from './cli.ts';
import { type Installed, type RanksOptions, type RunningRanks, isAlive, startRanks } from './mpi.ts';
import { checkpointDigests } from './tiny-run.ts';

export const main: string = join(dist, 'cli/main.js');

export interface RankRun extends RunningRanks {
  /** The process of each rank on this machine, by rank; waits until all have begun. */
  pids(): Promise<number[]>;
  /** Of a job that has ended, and may have killed what was left a moment before: its processes that do not end, launchers too. */
  left(): Promise<number[]>;
}

/** Starts `rectiflow` with these arguments as so many ranks, in a folder. */
export function startRun(
  mpi: Installed,
  ranks: number,
  folder: string,
  args: readonly string[],
  options: RanksOptions = {},
): RankRun {
  return watched(ranks, (env) =>
    startRanks(mpi, ranks, [main, ...args], { ...options, cwd: folder, env: { ...options.env, ...env } }),
  );
}

/** @param start starts a job in whose environment the variables are by which its processes are known */
export function watched(ranks: number, start: (env: Record<string, string>) => RunningRanks): RankRun {
  const job = `TEST_JOB=${randomUUID()}`;
  const running = start({ TEST_JOB: job.slice(job.indexOf('=') + 1) });
  const alive = (): number[] =>
    environments().flatMap(({ pid, variables }) => (variables.includes(job) && isAlive(pid) ? [pid] : []));
  const begun = (): Map<number, number> => {
    const own = environments().filter(({ variables }) => variables.includes(job));
    return new Map(
      own.flatMap(({ pid, variables }): [number, number][] => {
        const rank = variables.map((each) => /^(?:OMPI_COMM_WORLD|PMI)_RANK=(\d+)$/.exec(each)?.[1]);
        const found = rank.find((each) => each !== undefined);
        return found !== undefined && isNode(pid) ? [[Number(found), pid]] : [];
      }),
    );
  };
  return {
    ...running,
    async left() {
      for (let waited = 0; waited < 5000 && alive().length > 0; waited += 50) await sleep(50);
      return alive();
    },
    async pids() {
      for (;;) {
        const found = begun();
        if (found.size === ranks) return Array.from({ length: ranks }, (_, rank) => found.get(rank)!);
        await sleep(20);
      }
    },
  };
}

function environments(): { pid: number; variables: string[] }[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      return [{ pid: Number(name), variables: readFileSync(`/proc/${name}/environ`, 'latin1').split('\0') }];
    } catch {
      // It has ended, or is another user's.
      return [];
    }
  });
}

function isNode(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')[1] === main;
  } catch {
    return false;
  }
}

/** Resolves once a run has logged a step, or a later one. */
export async function reached(run: string, step: number): Promise<void> {
  const log = join(run, 'metrics.jsonl');
  for (;;) {
    const records = existsSync(log) ? (await readMetrics(log)).records : [];
    if (records.some((record) => record.step >= step)) return;
    await sleep(5);
  }
}

/** What a run has made of its config and data: all that it has written but times, memory and speed. @param logEvery steps */
export async function madeBy(run: string, step: number, logEvery: number): Promise<Record<string, unknown>> {
  const { records } = await readMetrics(join(run, 'metrics.jsonl'));
  // Where a run was stopped it has logged a step more.
  const logged = records.filter((record) => record.step === 1 || record.step % logEvery === 0);
  const names = (await readdir(run, { recursive: true })).toSorted();
  const pictures = names.filter((name) => name.endsWith('.png'));
  const checkpoint = `checkpoints/${stepName(step)}/`;
  const averages = names.filter((name) => name.startsWith(`${checkpoint}averages`));
  return {
    ...(await checkpointDigests(run, step)),
    averages: await digestsOf(run, averages),
    pictures: await digestsOf(run, pictures),
    metrics: logged.map((record) => Object.entries(record).filter(([name]) => !measured.has(name))),
  };
}

async function digestsOf(run: string, names: readonly string[]): Promise<Record<string, string>> {
  const digests = await Promise.all(
    names.map(async (name) => [name, (await digestFile(join(run, name))).sha256] as const),
  );
  return Object.fromEntries(digests);
}

/** What depends on machines, and how many there are. */
const measured = new Set([
  'samplesPerSecond',
  'seconds',
  'dataWait',
  'mfu',
  'memory',
  'peakMemory',
  'ranks',
  'computing',
  'communication',
  'efficiency',
  'slowestRank',
  'slowdown',
]);
