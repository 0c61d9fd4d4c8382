import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import type { RunPlan } from '../../src/api/plan/result.ts';
import { type Finished, rectiflow, temporaryFolder } from '../support/cli.ts';
import { tinyDigits } from '../support/tiny-run.ts';

let folder: string;
const run = (...args: string[]): Promise<Finished> => rectiflow(folder, args);

beforeAll(async () => {
  folder = await temporaryFolder();
  await writeFile(join(folder, 'tiny.json'), JSON.stringify(tinyDigits));
});

describe('plan', () => {
  it('prints tables, the totals and the command that trains, and makes nothing', async () => {
    const { code, stdout, stderr } = await run(
      'plan',
      'tiny.json',
      '--seconds',
      '0.3',
      '--set',
      'train.steps=90',
    );
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^tiny\n {2}data {6}digits \(test\), 10,000 samples, seen 0\.0720 times\n/);
    expect(stdout).toMatch(
      /^Time on this machine: \d+ steps of this very run, with their data, were timed\.$/m,
    );
    expect(stdout).toMatch(/^ {2}H100 +989 TFLOP\/s +bf16 /m);
    expect(stdout).toMatch(/^ {2}256\/8 +1,024 /m);
    expect(stdout).toMatch(/^ {2}8 +4 +.* ms .*%/m);
    expect(stdout).toMatch(
      /\ntiny in all, on this machine: [\d.]+s, .* of memory, .* of disk, [\d.]+ GFLOP\.\n/,
    );
    expect(stdout).toMatch(/\nTrain it: {2}npx rectiflow train tiny\.json --set train\.steps=90\n$/);
    expect(await readdir(folder)).toEqual(['tiny.json']);
  });

  it('prints all of it as JSON, and nothing else', async () => {
    const { stdout } = await run('plan', 'tiny.json', '--seconds', '0', '--json', '--machine', 'RTX-4090');
    const plan = JSON.parse(stdout) as RunPlan;
    expect(plan).toMatchObject({ name: 'tiny', basis: { machine: 'RTX-4090' }, time: { by: 'peak' } });
    expect(plan.machines.length).toBeGreaterThan(4);
  });

  it('prints what more ranks would do, where they stop paying and what would help', async () => {
    const sets = ['train.batchSize=16'].flatMap((setting) => ['--set', setting]);
    const args = ['--seconds', '0.3', '--ranks', '16,1', '--link', '1Mbit', '--latency', '200'];
    const { code, stdout, stderr } = await run('plan', 'tiny.json', ...sets, ...args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [, table] = stdout.split(/\n(?=This run on ranks)/);
    expect(table).toMatch(
      /^This run on ranks, each on a machine like this, joined by 1 Mbit\/s with 200 µs from one to another; 16 shards:\n/,
    );
    expect(table).toMatch(
      /^ {2}ranks +machines +a step +samples\/s +efficiency .* a rank sends +its state$/m,
    );
    expect(table).toMatch(/^ {2}1 +1 .* 100 % +0 % +0 bytes .*\n {2}16 +16 .*[\d.]+ % /m);
    expect(table).toMatch(/^ {2}From 2 ranks on less than half of the machines' time is put to use\.$/m);
    expect(table).toMatch(/^ {2}2 ranks are less than 1\.3 times as fast as 1\.$/m);
    expect(table).toMatch(/^ {2}16 ranks would reach more with .*a link 10 times as fast: .* %/m);
  });

  it('says what training would of ranks that a step cannot be shared out to, before anything is timed', async () => {
    const { code, stdout, stderr } = await run('plan', 'tiny.json', '--ranks', '1,16', '--seconds', '600');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /^error: train\.shards: wanted at least as many as there are ranks, 16, found 8\. Set train\.shards to 16/,
    );
  });

  it.each([
    ['plan tiny.json --ranks 1,x', /It must be whole numbers from 1 with commas between them/],
    ['plan tiny.json --ranks 1 --ranks-per-host 0', /It must be a whole number from 1/],
    [
      'plan tiny.json --ranks 1 --link 1GB',
      /link must be bits per second, as in 100Mbit or 10Gbit, got "1GB"/,
    ],
    ['plan tiny.json --ranks 1 --latency 2e7', /latency must be seconds from 0 to 10, got 20/],
    ['plan tiny.json --link 1Gbit', /link must be given together with numbers of ranks, got none of them/],
    [
      'plan tiny.json --ranks 1 --ranks-per-host 8 --machine H100',
      /ranksPerHost must be 1 for H100, each of which is taken as a machine with a link of its own, got 8/,
    ],
    ['plan nowhere.yaml', /^error: nowhere\.yaml: no such file or folder\./],
    ['plan digit', /there is no recipe "digit"\. Did you mean "digits"\?/],
    ['plan tiny.json --machine A10', /machine must be one of this, .*, got "A10"\. Did you mean "A100"\?/],
    ['plan tiny.json --utilisation 40', /utilisation must be a number above 0, at most 1, got 40/],
    ['plan tiny.json --seconds x', /It must be a number, as in 2/],
    ['plan tiny.json --set train.step=1', /train\.step: no such setting\. Did you mean "steps"/],
  ])('%s ends with an error', async (command, message) => {
    const { code, stdout, stderr } = await run(...command.split(' '));
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^ +at /m);
  });
});
