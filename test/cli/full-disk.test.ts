// A disk that fills up under a run, with real processes: a limit of the size of files, which needs no rights, and a small disk.
import { execFileSync } from 'node:child_process';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { latestCheckpoint, listCheckpoints } from '../../src/runs/checkpoint.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { type Running, dist, rectiflow, start, startRectiflow, temporaryFolder } from '../support/cli.ts';
import { tinyDigits } from '../support/tiny-run.ts';

const main = join(dist, 'cli/main.js');
const run = join('runs', 'tiny');

/** A folder whose run has one checkpoint, and how many bytes that takes. */
async function stoppedRun(folder: string): Promise<{ checkpoints: string; weights: number; whole: number }> {
  const config = { ...tinyDigits, train: { ...tinyDigits.train, checkpointEvery: 30, steps: 1_000_000 } };
  await writeFile(join(folder, 'tiny.json'), JSON.stringify(config));
  const training = startRectiflow(folder, ['train', 'tiny.json']);
  await training.saw(/^step 1\//m);
  training.process.kill('SIGINT');
  await training.finished;
  const checkpoints = join(folder, run, 'checkpoints');
  const { files } = await latestCheckpoint(checkpoints);
  const sizes = Object.values(files).map(({ bytes }) => bytes);
  return {
    checkpoints,
    weights: files['model.safetensors']!.bytes,
    whole: sizes.reduce((sum, bytes) => sum + bytes, 0),
  };
}

/** A run that fails to save, until `makeRoom`; then it saves again. */
async function checkGoesOn(
  training: Running,
  checkpoints: string,
  makeRoom: () => Promise<void>,
): Promise<void> {
  const before = await listCheckpoints(checkpoints);
  await training.saw(
    /^note: .*the checkpoint cannot be saved: .*Training goes on, and the next try is after step \d+\. The last good/m,
  );
  expect(await listCheckpoints(checkpoints)).toEqual(before);
  await makeRoom();
  await vi.waitUntil(async () => (await listCheckpoints(checkpoints)).length > before.length, {
    timeout: 20_000,
    interval: 20,
  });
  training.process.kill('SIGTERM');
  expect(await training.finished).toMatchObject({ code: 143, stderr: '' });
  expect((await readdir(checkpoints)).filter((name) => name.startsWith('.'))).toEqual([]);
  await latestCheckpoint(checkpoints, (problem) => expect.fail(problem.message));
}

describe.runIf(process.platform === 'linux')('a limit of the size of files', () => {
  /** The optimizer's file is twice as large as the weights: it alone is beyond the limit. */
  const limited = (folder: string, bytes: number): Running =>
    start(folder, 'prlimit', [`--fsize=${bytes}:`, process.execPath, main, 'resume', run]);

  it('fails a save, which is told; training goes on, and saves as soon as it can', async () => {
    const folder = await temporaryFolder();
    const { checkpoints, weights } = await stoppedRun(folder);
    const training = limited(folder, Math.round(1.5 * weights));
    await checkGoesOn(training, checkpoints, async () => {
      execFileSync('prlimit', ['--pid', String(training.process.pid), '--fsize=unlimited:']);
    });
  });

  it('fails the save at the end, which is an error', async () => {
    const folder = await temporaryFolder();
    const { checkpoints, weights } = await stoppedRun(folder);
    const before = await readdir(checkpoints);
    const training = limited(folder, Math.round(1.5 * weights));
    await training.saw(/^note: .*cannot be saved/m);
    training.process.kill('SIGUSR1');
    const { code, stderr } = await training.finished;
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^error: .*the checkpoint cannot be saved: the file is larger than the system allows; .*untouched/,
    );
    expect(await readdir(checkpoints)).toEqual(before);
  });

  it('ends no run because of its logs, which end with whole lines', async () => {
    const folder = await temporaryFolder();
    await stoppedRun(folder);
    const log = join(folder, run, 'metrics.jsonl');
    const { size } = await stat(log);
    const training = limited(folder, size + 1000);
    await training.saw(/^note: .*metrics\.jsonl: a line cannot be written: the file is larger/m);
    await training.saw(/^note: .*cannot be saved/m);
    training.process.kill('SIGKILL');
    const { stdout } = await training.finished;
    expect(stdout.match(/a line cannot be written/g)).toHaveLength(1);
    expect((await readMetrics(log)).damaged).toBe(0);
  });
});

describe('a small disk', () => {
  it('fills up and is cleared again', async (context) => {
    const disk = join(await temporaryFolder(), 'disk');
    await mkdir(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', disk], { stdio: 'ignore' });
    } catch {
      context.skip('mounting a tmpfs needs root');
    }
    try {
      const { checkpoints, whole } = await stoppedRun(disk);
      const filler = join(disk, 'filler');
      const free = execFileSync('df', ['--output=avail', '-B1', disk], { encoding: 'utf8' }).split('\n')[1]!;
      await writeFile(filler, Buffer.alloc(Number(free) - Math.round(0.6 * whole)));
      await checkGoesOn(startRectiflow(disk, ['resume', run]), checkpoints, () => rm(filler));
      expect((await rectiflow(disk, ['info', run])).code).toBe(0);
    } finally {
      execFileSync('umount', ['-l', disk]);
    }
  });
});
