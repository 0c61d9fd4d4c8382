import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Finished, rectiflow, temporaryFolder } from '../support/cli.ts';
import { tinyDigits } from '../support/tiny-run.ts';

let folder: string;
let trained: Finished;
const run = (...args: string[]): Promise<Finished> => rectiflow(folder, args);

beforeAll(async () => {
  folder = await temporaryFolder();
  await writeFile(join(folder, 'tiny.json'), JSON.stringify(tinyDigits));
  const averages = ['ema.power=[0.05, 0.1]', 'ema.snapshotEvery=4', 'ema.decays=[0.9]'];
  const settings = averages.flatMap((setting) => ['--set', setting]);
  trained = await run('train', 'tiny.json', '--steps', '12', ...settings);
});

describe('averages', () => {
  it('of other lengths are pointed out at the end of a run that stores what they are made of', async () => {
    expect(trained.stdout).toMatch(
      /averages of other lengths: {2}npx rectiflow sample runs\/tiny --ema-length/,
    );
    expect((await run('info', 'tiny')).stdout).toMatch(
      /^ {2}averages {5}those of length 0\.05 and 0\.1 are stored every 4 steps, /m,
    );
    const { stdout } = await run('train', 'tiny.json', '--steps', '1', '--name', 'plain');
    expect(stdout).not.toMatch(/lengths/);
  });

  it('are written, and then sampled with by the command that is told', async () => {
    const { code, stdout, stderr } = await run('average', 'tiny', '--length', '0.08');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [, file, next] = /^Written: (.*)\nMake samples: {2}npx rectiflow (.*)\n$/m.exec(stdout)!;
    expect(existsSync(join(folder, file!))).toBe(true);
    expect(next).toBe('sample runs/tiny --ema-length 0.08');
    const sampled = await run(...next!.split(' '), '--count', '1', '--out', 'averaged');
    expect(sampled).toMatchObject({ code: 0, stderr: '' });
    expect(await run('sample', 'tiny', '--weights', 'ema:0.9', '--count', '1')).toMatchObject({ code: 0 });
  });

  it.each([
    ['average tiny', /^error: required option '-l, --length <share>' not specified/],
    ['average tiny --length 0', /It must be a number above 0/],
    [
      'average tiny --length 0.5',
      /^error: average: length must be a number above 0, at most 0\.2887, got 0\.5/,
    ],
    [
      'average plain --length 0.1',
      /holds no power-function averages\. They are kept where ema\.power is set/,
    ],
    ['average tiny --length 0.1 --out tiny.json', /^error: tiny\.json: is there already\. /],
    [
      'sample tiny --weights ema:0.8',
      /must be one of ema, model, ema:0\.9, ema:power-0\.05, ema:power-0\.1, got/,
    ],
    ['sample tiny --weights model --ema-length 0.1', /weights must be left out beside a length, got model/],
  ])('%s ends with an error', async (command, message) => {
    const { code, stdout, stderr } = await run(...command.split(' '));
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^ +at /m);
  });
});

describe('doctor', () => {
  it('tells each check in a line, then the command that trains, and writes nothing', async () => {
    const before = await readdir(folder, { recursive: true });
    const { code, stdout } = await run('doctor', 'tiny.json', '--set', 'train.steps=500');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ok {4}node {11}Node v/);
    expect(stdout).toMatch(/^ok {4}data {11}digits \(test\), 10,000 samples, 1,000 of them read$/m);
    expect(stdout).toMatch(
      /\n\nNo check failed\. Train it: {2}npx rectiflow train tiny\.json --set train\.steps=500\n$/,
    );
    expect(await readdir(folder, { recursive: true })).toEqual(before);
  });

  it('ends with 1 where a check fails', async () => {
    const { code, stdout } = await run('doctor', 'tiny.json', '--set', 'optimizer.learningRate=1e-12');
    expect(code).toBe(1);
    expect(stdout).toMatch(/^FAIL {2}learning rate {2}the learning rates of 60 steps add up to .*raise/m);
    expect(stdout).toMatch(/\n\n1 check failed: training would get nowhere\.\n$/);
  });

  it.each(['flow.objective', 'flow.timeSampling'])(
    'ends with the error of train where %s is custom',
    async (what) => {
      const args = ['tiny.json', '--set', `${what}.kind=custom`];
      const { code, stderr } = await run('doctor', ...args);
      expect(code).toBe(1);
      expect(stderr).toContain(`${what}: a custom `);
      expect(stderr).toBe((await run('train', ...args)).stderr);
    },
  );

  it('ends with an error where the config is wrong', async () => {
    const { code, stderr } = await run('doctor', 'tiny.json', '--set', 'train.batchSize=0');
    expect(code).toBe(1);
    expect(stderr).toBe(
      'error: tiny.json: train.batchSize: wanted a whole number from 1 to 1048576, found 0\n',
    );
  });
});
