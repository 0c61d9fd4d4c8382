// Whole runs of which a rank is lost, stopped or cannot save: all ranks end, or go on, and the run is that of one process in the end.
import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { watch, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ConfigInput } from '../../src/config/config.ts';
import { ranksLostExitCode } from '../../src/distributed/exit-code.ts';
import { rectiflow, temporaryFolder } from '../support/cli.ts';
import { installed } from '../support/mpi.ts';
import { type RankRun, madeBy, reached, startRun } from '../support/rank-runs.ts';

const steps = 300;
const logEvery = 2;
const config: ConfigInput = {
  name: 'run',
  data: { source: 'digits', split: 'test' },
  model: { width: 16, depth: 1, heads: 2, patchSize: 14 },
  train: {
    steps,
    batchSize: 8,
    shards: 4,
    logEvery,
    sampleEvery: 0,
    checkpointEvery: 10,
    keepCheckpoints: 2,
  },
  sample: { steps: 2, perClass: 1, labels: [0, 1] },
  backend: { threads: 1 },
};
const impatient = { env: { RECTIFLOW_PATIENCE: '2' }, limit: 30_000 };

let folder: string;
let expected: Record<string, unknown>;
let count = 0;
const made = (run: string): Promise<Record<string, unknown>> => madeBy(run, steps, logEvery);

beforeAll(async () => {
  folder = await temporaryFolder();
  await writeFile(join(folder, 'run.json'), JSON.stringify(config));
  await rectiflow(folder, ['train', 'run.json', '--name', 'alone']);
  expected = await made(join(folder, 'runs', 'alone'));
});

/** With which exit code all ranks end where one of them gets it. */
const signals = [
  ['SIGTERM', 143, 1],
  ['SIGUSR1', 85, 0],
] as const;

/** What is told where the disk of a rank is full. */
const fullDisks = [
  [0, /^note: \S+step-\d+: the checkpoint cannot be saved: the file is larger/m],
  [1, /^note: rank 1 on \S+: .*: its part of the checkpoint cannot be saved: the file is larger/m],
] as const;

for (const mpi of installed)
  describe.skipIf(mpi.skipped)(`${mpi.kind}${mpi.skipped}`, () => {
    // What rectiflow does by itself is the same with the other.
    const isFirst = mpi.kind === 'openmpi';

    /** Ranks that have trained for a while. */
    async function training(ranks: number): Promise<{ run: string; job: RankRun; pids: number[] }> {
      const name = `${mpi.kind}-${count++}`;
      const job = startRun(mpi, ranks, folder, ['train', 'run.json', '--name', name], impatient);
      const run = join(folder, 'runs', name);
      await reached(run, 24);
      return { run, job, pids: await job.pids() };
    }

    async function checkGoesOn(run: string): Promise<void> {
      const { code, stderr } = await rectiflow(folder, ['resume', run]);
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(await made(run)).toEqual(expected);
    }

    it.each(isFirst ? [0, 1] : [1])('rank %i is killed', async (victim) => {
      const { run, job, pids } = await training(2);
      process.kill(pids[victim]!, 'SIGKILL');
      const { code, stdout } = await job.ended;
      expect(code).toSatisfy((each: number | null) => each !== null && each > 0);
      expect(await job.left()).toEqual([]);
      expect(stdout).not.toMatch(/saving|saved/);
      await checkGoesOn(run);
    });

    it.runIf(isFirst)('rank 0 is killed in the middle of a save', async () => {
      const { run, job, pids } = await training(2);
      const checkpoints = join(run, 'checkpoints');
      const isSaving = (): boolean => readdirSync(checkpoints).some((name) => name.startsWith('.saving-'));
      for await (const { filename } of watch(checkpoints)) {
        if (!filename?.startsWith('.saving-')) continue;
        process.kill(pids[0]!, 'SIGSTOP');
        if (isSaving()) break;
        process.kill(pids[0]!, 'SIGCONT');
      }
      process.kill(pids[0]!, 'SIGKILL');
      expect((await job.ended).code).not.toBe(null);
      expect(await job.left()).toEqual([]);
      expect(isSaving()).toBe(true);
      await checkGoesOn(run);
    });

    it.runIf(isFirst)('a rank that does not answer is named', async () => {
      const { run, job, pids } = await training(4);
      process.kill(pids[2]!, 'SIGSTOP');
      const { code, stderr } = await job.ended;
      expect(code).toBe(ranksLostExitCode);
      expect(stderr.match(/^(?:rectiflow|error): .*/gm)).toEqual([
        expect.stringMatching(/^rectiflow: rank 2 on \S+ has not been heard of for 2 s: it, or the network/),
      ]);
      expect(await job.left()).toEqual([]);
      await checkGoesOn(run);
    });

    it.each(signals.slice(isFirst ? 0 : 1))(
      '%s stops all, which end with %i',
      async (signal, exitCode, rank) => {
        const { run, job, pids } = await training(2);
        process.kill(pids[rank]!, signal);
        const { code, stdout, stderr } = await job.ended;
        expect(code).toBe(exitCode);
        expect(stderr).not.toMatch(/^(?:rectiflow|error): /m);
        expect(stdout).toMatch(/^Stopped after \d+ steps, saved /m);
        expect(existsSync(join(run, 'checkpoints', 'step-0000300'))).toBe(false);
        await checkGoesOn(run);
      },
    );

    it.each(isFirst ? fullDisks : [])('the disk of rank %i is full for a while', async (victim, told) => {
      const { run, job, pids } = await training(2);
      const limit = (bytes: string): void =>
        void execFileSync('prlimit', ['--pid', String(pids[victim]), `--fsize=${bytes}:`]);
      // Between the size of metrics.jsonl and that of the weights.
      limit('60000');
      await job.saw(told);
      limit('unlimited');
      const { code, stderr } = await job.ended;
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(await made(run)).toEqual(expected);
    });
  });
