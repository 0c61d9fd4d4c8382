import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Finished, rectiflow, startRectiflow, temporaryFolder } from '../support/cli.ts';

let folder: string;
const settings = [
  'data.split=test',
  'model.width=16',
  'model.depth=1',
  'model.heads=2',
  'model.patchSize=14',
  'train.batchSize=4',
  'backend.threads=1',
].flatMap((setting) => ['--set', setting]);
const args = (...more: string[]): string[] => [
  'compare',
  'ddpm',
  'digits',
  '--count',
  '4',
  ...settings,
  ...more,
];
const run = (...more: string[]): Promise<Finished> => rectiflow(folder, args(...more));

beforeAll(async () => {
  folder = await temporaryFolder();
});

describe('compare ddpm', () => {
  it('shows both trainings and distances, says what was made, and given again goes on', async () => {
    const { code, stdout, stderr } = await run('--steps', '3', '--name', 'both');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      /^run {6}runs\/both-rectified-flow\n(step .*\n)+run {6}runs\/both-ddpm\n(step .*\n)+\nEnergy distance of 4 /,
    );
    expect(stdout).toMatch(
      /\nevaluations +rectified-flow +ddpm\n5 .*\n10 .*\n25 .*\n50 .*\nAs many samples of/,
    );
    const files = [...stdout.matchAll(/^ {2}\w+ +(runs\/[\w./-]+)/gm)].map(([, path]) => path!);
    expect(files).toHaveLength(6);
    for (const file of files) expect(existsSync(join(folder, file))).toBe(true);

    const again = await run('--steps', '3', '--name', 'both');
    expect(again.stdout).toContain('run      runs/both-ddpm, trained before\n');
    expect(again.stdout.slice(again.stdout.indexOf('Energy'))).toBe(stdout.slice(stdout.indexOf('Energy')));
  });

  it('stops at Ctrl-C and says how to go on', async () => {
    const running = startRectiflow(folder, args('--steps', '100000', '--name', 'long'));
    await running.saw(/step 1\//);
    running.process.kill('SIGINT');
    const { code, stdout } = await running.finished;
    expect(code).toBe(130);
    expect(stdout).toContain('Stopping. Press Ctrl-C again to leave at once.\n');
    expect(stdout).toContain('Stopped. The same command goes on from here.\n');
  });

  it('says what is wrong', async () => {
    const { code, stderr } = await rectiflow(folder, ['compare', 'ddpm', 'digit']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: there is no recipe "digit"\. Did you mean "digits"\?/);
  });
});
