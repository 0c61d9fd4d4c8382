// `rectiflow reflow`, `straightness` and `compare steps`, and the commands of docs/reflow.md, with real processes and small models.
import { existsSync } from 'node:fs';
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type Finished, dist, rectiflow, start, startRectiflow, temporaryFolder } from '../support/cli.ts';
import { tinyDigits } from '../support/tiny-run.ts';

let folder: string;
const run = (...args: string[]): Promise<Finished> => rectiflow(folder, args);

beforeAll(async () => {
  folder = await temporaryFolder();
  const config = { ...tinyDigits, train: { ...tinyDigits.train, steps: 6, checkpointEvery: 0 } };
  await writeFile(join(folder, 'tiny.json'), JSON.stringify(config));
  await run('train', 'tiny.json');
});

describe('reflow', () => {
  it('makes pairs, a run, and says what was made, and how straight paths are', async () => {
    const { code, stdout, stderr } = await run('reflow', 'tiny', '--pairs', '20', '--straightness', '2');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      /^pairs {4}pairs\/tiny-reflow, 20 pairs\n(.*\n)*run {6}runs\/tiny-reflow\ndata {5}pairs\/tiny-reflow, 20 samples\n/,
    );
    expect(stdout).toMatch(/note: the pairs were made with guidance 2: what it does is learnt/);
    expect(stdout).toMatch(
      /\n +runs\/tiny, guidance 2 +runs\/tiny-reflow\nt 1\.0 to 0\.9 +\d.*\n(t .*\n){9}whole path .*\nper number /,
    );
    expect(stdout).toMatch(/npx rectiflow straightness runs\/tiny runs\/tiny-reflow\n$/);

    const again = await run('reflow', 'tiny', '--pairs', '20', '--straightness', '0');
    expect(again.stdout).toMatch(/^pairs {4}pairs\/tiny-reflow, 20 pairs, 20 of them made before\n/);
    expect(again.stdout).toContain('All 6 steps were done before');
    expect(await run('data', 'verify', 'pairs/tiny-reflow')).toMatchObject({ code: 0 });
    const checked = await run('data', 'check', 'pairs/tiny-reflow');
    expect(checked.stdout).toMatch(/20 samples/);
  });

  it('stops at Ctrl-C while pairs are made, and goes on', async () => {
    const args = ['reflow', 'tiny', '--name', 'stopped', '--pairs', '4000', '--steps', '1'];
    const running = startRectiflow(folder, args);
    const pairs = join(folder, 'pairs/stopped');
    while (!existsSync(join(pairs, 'pairs-000000.safetensors')))
      await new Promise((next) => setTimeout(next, 20));
    running.process.kill('SIGINT');
    expect(await running.finished).toMatchObject({ code: 130, stderr: '' });
    const { files } = JSON.parse(await readFile(join(pairs, 'pairs.json'), 'utf8')) as { files: unknown[] };
    expect(files.length).toBeLessThan(8);
    expect(existsSync(join(folder, 'runs/stopped'))).toBe(false);
    const { code, stdout } = await run(...args, '--train-steps', '2', '--straightness', '0');
    expect(code).toBe(0);
    expect(stdout).toMatch(/4,000 pairs, [\d,]+ of them made before/);
  });

  it.runIf(process.platform === 'linux')('loses nothing where the disk is full', async () => {
    const args = [
      'reflow',
      'tiny',
      '--name',
      'full',
      '--pairs',
      '600',
      '--steps',
      '1',
      '--straightness',
      '0',
    ];
    const limited = start(folder, 'prlimit', [
      '--fsize=1000000:',
      process.execPath,
      join(dist, 'cli/main.js'),
      ...args,
    ]);
    const { code, stderr } = await limited.finished;
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^error: pairs\/full\/pairs-000000\.safetensors: the pairs cannot be written: .*Make room; the same command goes on/m,
    );
    expect(await readdir(join(folder, 'pairs/full'))).toEqual(['pairs.json']);
    expect(await run(...args, '--train-steps', '1')).toMatchObject({ code: 0 });
  });

  it('says what is wrong without a stack', async () => {
    for (const [args, message] of [
      [['reflow', 'nothing'], /^error: nothing: /],
      [['reflow', 'tiny', '--pairs', '0'], /--pairs.*It must be a whole number from 1/],
      [['reflow', 'tiny', '--distill', 'x'], /--distill.*It must be a whole number/],
      [
        ['reflow', 'tiny', '--sampler', 'euler-maruyama', '--name', 'a'],
        /^error: reflow: sampler must be one that adds no noise/,
      ],
      [['reflow', 'tiny', '--guidance', 'two'], /It must be a number/],
      [['straightness', 'nothing'], /^error: nothing: /],
      [['straightness', 'tiny', '--evaluations', '1,0'], /It must be whole numbers from 1 with commas/],
      [['compare', 'steps', 'tiny-reflow'], /was trained on pairs, which are no data to compare with/],
    ] as const) {
      const { code, stderr } = await run(...args);
      expect([code, stderr.includes('    at ')]).toEqual([1, false]);
      expect(stderr).toMatch(message);
    }
  });
});

describe('what comes of it', () => {
  it('can be distilled, looked at and compared', async () => {
    const distilled = await run('reflow', 'tiny-reflow', '--distill', '--pairs', '20', '--straightness', '0');
    expect(distilled.stdout).toMatch(/run {6}runs\/tiny-reflow-distilled\n/);
    const straight = await run('straightness', 'tiny', 'tiny-reflow', '--count', '2', '--evaluations', '1,2');
    expect(straight).toMatchObject({ code: 0, stderr: '' });
    expect(straight.stdout).toMatch(/^ {2}samples {2}runs\/tiny\/straightness\/few-steps\.png$/m);
    const compared = await run(
      'compare',
      'steps',
      'tiny',
      'tiny-reflow',
      'tiny-reflow-distilled',
      '--count',
      '10',
    );
    expect(compared).toMatchObject({ code: 0 });
    expect(compared.stdout).toMatch(
      /^Energy distance of 10 samples .*\n +1 +2 +4\nruns\/tiny .*\nruns\/tiny-reflow .*\nruns\/tiny-reflow-distilled .*\nAs many/,
    );
    for (const [, file] of `${straight.stdout}${compared.stdout}`.matchAll(/^ {2}\w[\w ]* {2,}(runs\S+)$/gm))
      expect(existsSync(join(folder, file!))).toBe(true);
  });

  it('is described, resumed, checked and previewed as other runs are', async () => {
    const info = await run('info', 'tiny-reflow');
    expect(info.code).toBe(0);
    const resumed = await run('resume', 'tiny-reflow');
    expect(resumed.stdout).toContain('All 6 steps were done before');
    await mkdir(join(folder, 'own'));
    const config = { ...tinyDigits, name: 'own', data: { source: 'pairs', path: 'pairs/tiny-reflow' } };
    await writeFile(join(folder, 'own/pairs.yaml'), JSON.stringify(config));
    const doctor = await run('doctor', 'own/pairs.yaml');
    expect(doctor.stdout).toMatch(/one batch/);
    const preview = await run('data', 'preview', 'pairs/tiny-reflow', '--out', 'preview.png');
    expect(preview).toMatchObject({ code: 0, stderr: expect.stringContaining('is no config') });
  });
});
