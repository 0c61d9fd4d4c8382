// A run of the command line that is steered by it, with real processes.
import { execFileSync } from 'node:child_process';
import { readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { latestCheckpoint } from '../../src/runs/checkpoint.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import type { MetricsRecord } from '../../src/kept/metrics-lines.ts';
import { readSteering, steeringEventsPath } from '../../src/runs/steering-events.ts';
import { docsBlocks, docsCommands, docsSection } from '../support/docs.ts';
import { type Running, dist, rectiflow, start, startRectiflow, temporaryFolder } from '../support/cli.ts';
import { tinyDigits } from '../support/tiny-run.ts';

const run = join('runs', 'tiny');

/** A training that would take hours. */
async function begun(folder: string, train: object = {}): Promise<Running> {
  const config = { ...tinyDigits, train: { ...tinyDigits.train, steps: 1_000_000, ...train } };
  await writeFile(join(folder, 'tiny.json'), JSON.stringify(config));
  const training = startRectiflow(folder, ['train', 'tiny.json']);
  await training.saw(/^step 1\//m);
  return training;
}

async function steer(folder: string, ...options: string[]): Promise<string> {
  const { code, stdout, stderr } = await rectiflow(folder, ['steer', run, ...options]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return stdout;
}

async function recordsOf(folder: string): Promise<readonly MetricsRecord[]> {
  return (await readMetrics(join(folder, run, 'metrics.jsonl'))).records;
}

const numbers = ({ step, loss, gradNorm, learningRate }: MetricsRecord): unknown[] => [
  step,
  loss,
  gradNorm,
  learningRate,
];

describe('rectiflow steer', () => {
  it('changes a run, which is the same after a kill; pauses, saves and stops it', async () => {
    const folder = await temporaryFolder();
    const training = await begun(folder, { logEvery: 1, checkpointEvery: 100, keepEvery: 100 });
    const told = await steer(folder, '--learning-rate', '1e-2');
    training.process.kill('SIGKILL');
    await training.finished;
    const [, first] = /^from step (\d+) on learningRate 0\.01\.\n$/.exec(told)!;
    const killed = await recordsOf(folder);
    expect(killed.at(-1)!.step).toBeGreaterThanOrEqual(Number(first) - 1);

    const resumed = startRectiflow(folder, ['resume', run]);
    await resumed.saw(/^run /m);
    await vi.waitUntil(async () => ((await recordsOf(folder)).at(-1)?.step ?? 0) > killed.at(-1)!.step, {
      timeout: 40_000,
      interval: 50,
    });
    const [, paused] = /^training is paused after step (\d+)\.\n$/.exec(await steer(folder, '--pause'))!;
    expect(await steer(folder, '--save')).toBe(`a checkpoint is saved after step ${paused}.\n`);
    expect(await steer(folder, '--stop')).toBe(`training stops after step ${paused}.\n`);
    const { code, stdout } = await resumed.finished;
    expect(code).toBe(130);
    expect(stdout).toContain(`Stopped after ${Number(paused).toLocaleString('en')} steps, saved`);
    const records = await recordsOf(folder);
    expect(records.at(-1)!.step).toBe(Number(paused));
    expect(records.slice(0, killed.length).map(numbers)).toEqual(killed.map(numbers));

    const range = `${Number(first) - 2}..${Number(first) + 2}`;
    const replayed = await rectiflow(folder, ['replay', run, '--steps', range]);
    // After how many steps the rate rises is the machine's matter, and a later rise may well be a spike.
    const said = replayed.stderr.replace(/^note: The loss has spiked: .*\n/m, '');
    expect([replayed.code, said]).toEqual([0, '']);
    expect(replayed.stdout).toContain('5 of 5 logged losses are equal to the bit');

    const lines = (await steer(folder)).trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatch(/^step [\d,]+ {2}\d{4}-.*Z {2}from step \d+ on learningRate 0\.01\.$/);
    expect(await rectiflow(folder, ['steer', 'tiny', '--go-on'])).toEqual({
      code: 1,
      stdout: '',
      stderr: `error: ${run}: no process trains it. Nothing was done. Go on with it (rectiflow resume ${run}), and ask again.\n`,
    });
  });

  it('has samples made by it', async () => {
    const folder = await temporaryFolder();
    const training = await begun(folder);
    const told = await steer(
      folder,
      '--sample',
      '--labels',
      '3,7',
      '--count',
      '2',
      '--weights',
      'model',
      '--guidance',
      '2',
    );
    const [, step] = /^4 samples of step ([\d,]+) in /.exec(told)!;
    const at = join(run, 'samples', 'asked', `step-${step!.replaceAll(',', '').padStart(7, '0')}`);
    expect(told).toBe(`4 samples of step ${step} in ${at}\nLook at ${at}.png\n`);
    expect((await readdir(join(folder, at))).toSorted()).toEqual(['3', '7']);
    expect(await steer(folder)).toMatch(
      /^step [\d,]+ .* 4 samples of step \d+ are made: samples\/asked\/step-\d{7}\.png\.\n$/,
    );
    expect(await rectiflow(folder, ['steer', run, '--sample', '--labels', '99'])).toEqual({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(
        /^refused: sample: labels must be classes of the model, from 0 to 9 .*, got 99\n$/,
      ),
    });
    const alone = await rectiflow(folder, ['steer', run, '--count', '2']);
    expect(alone.stderr).toBe(
      'error: steer: --count is of samples that are made now: give --sample with it.\n',
    );
    training.process.kill('SIGKILL');
  });

  it('says why a run refuses', async () => {
    const folder = await temporaryFolder();
    const training = await begun(folder);
    const refused = await rectiflow(folder, ['steer', run, '--labels', '0-99', '--log-every', '5']);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(/^refused: steering: sample\.labels: .*99/);
    const wrong = await rectiflow(folder, ['steer', run, '--learning-rate', '0']);
    expect(wrong.stderr).toContain('It must be a number above 0.');
    expect(await steer(folder, '--labels', '3,7', '--guidance', '1.5', '--sample-steps', '3')).toMatch(
      /^from step \d+ on sample\.steps 3, sample\.guidance 1\.5, sample\.labels \[3,7\]\.\n$/,
    );
    training.process.kill('SIGKILL');
  });

  it.runIf(process.platform === 'linux')('does nothing that it cannot record', async () => {
    const folder = await temporaryFolder();
    const first = await begun(folder, { logEvery: 1000 });
    await steer(folder, '--stop');
    await first.finished;
    const { files } = await latestCheckpoint(join(folder, run, 'checkpoints'));
    const limit = Math.max(...Object.values(files).map(({ bytes }) => bytes)) + 100_000;
    const path = steeringEventsPath(join(folder, run));
    const line = await readFile(path, 'utf8');
    await writeFile(path, line.repeat(Math.floor(limit / line.length)));
    const { size } = await stat(path);
    const main = join(dist, 'cli/main.js');
    const training = start(folder, 'prlimit', [`--fsize=${limit}:`, process.execPath, main, 'resume', run]);
    await training.saw(/^run /m);
    const failed = await rectiflow(folder, ['steer', run, '--learning-rate', '1e-2']);
    expect(failed).toMatchObject({ code: 1, stdout: '' });
    expect(failed.stderr).toContain('the request was dropped');
    await training.saw(
      /^note: .*events\.jsonl: what the run is asked cannot be recorded: the file is larger .*It has no effect/m,
    );
    expect((await stat(path)).size).toBe(size);
    execFileSync('prlimit', ['--pid', String(training.process.pid), '--fsize=unlimited:']);
    expect(await steer(folder, '--stop')).toContain('training stops');
    expect((await training.finished).code).toBe(130);
    expect(await readSteering(join(folder, run))).toHaveLength(Math.floor(limit / line.length) + 1);
  });
});

describe('docs/steering.md', () => {
  it('shows commands that a run takes', async () => {
    const commands = docsCommands(await docsSection('steering.md', '## By the command line'));
    expect(commands.length).toBeGreaterThan(5);
    const folder = await temporaryFolder();
    const training = await begun(folder);
    for (const [name, given, ...options] of commands) {
      expect([name, given]).toEqual(['steer', 'runs/digits']);
      await steer(folder, ...options);
    }
    expect((await training.finished).code).toBe(130);
    const [event] = docsBlocks(await docsSection('steering.md', '## What is kept'), 'json');
    const [recorded] = await readSteering(join(folder, run));
    expect(Object.keys(JSON.parse(event!) as object)).toEqual(Object.keys(recorded!));
  });
});
