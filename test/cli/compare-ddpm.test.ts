import { existsSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
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
/** Of digits. */
const small = { width: 16, depth: 1, heads: 2, patchSize: 14 };
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

  it('goes on with data of other classes only where that is accepted', async () => {
    for (const [i, name] of ['cat', 'dog'].entries()) {
      await mkdir(join(folder, 'pets', name), { recursive: true });
      const image = sharp(new Uint8Array(192).fill(99 * i), { raw: { width: 8, height: 8, channels: 3 } });
      await image.png().toFile(join(folder, 'pets', name, 'a.png'));
    }
    const config = {
      data: { source: 'folder', path: 'pets', size: 8 },
      model: { width: 16, depth: 1, heads: 2, patchSize: 4 },
      train: { steps: 100_000, batchSize: 2 },
      backend: { threads: 1 },
    };
    await writeFile(join(folder, 'pets.json'), JSON.stringify(config));
    const stopped = async (...more: string[]): Promise<Finished> => {
      const running = startRectiflow(folder, ['compare', 'ddpm', 'pets.json', '--count', '2', ...more]);
      await running.saw(/step [\d,]+\//);
      running.process.kill('SIGINT');
      return running.finished;
    };
    expect((await stopped()).code).toBe(130);
    await rename(join(folder, 'pets/dog'), join(folder, 'pets/doggy'));
    const refused = await rectiflow(folder, ['compare', 'ddpm', 'pets.json', '--count', '2']);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toMatch(/"dog" is missing.*"doggy" is new.*--accept-data/);
    expect(await stopped('--accept-data')).toMatchObject({ code: 130, stderr: '' });
  });

  it('says what is wrong', async () => {
    const { code, stderr } = await rectiflow(folder, ['compare', 'ddpm', 'digit']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: there is no recipe "digit"\. Did you mean "digits"\?/);
    const data = { source: 'digits', split: 'test' };
    const flow = { objective: { kind: 'custom' } };
    for (const config of [
      { data, model: { kind: 'custom' } },
      { data, model: small, flow },
    ]) {
      await writeFile(join(folder, 'own.json'), JSON.stringify(config));
      const custom = await rectiflow(folder, ['compare', 'ddpm', 'own.json', '--steps', '1']);
      expect(custom.code).toBe(1);
      expect(custom.stderr).toBe((await rectiflow(folder, ['train', 'own.json'])).stderr);
      expect(custom.stderr).toMatch(/: a custom (model|objective) is handed over by the program that trains/);
    }
    expect(existsSync(join(folder, 'runs/own-ddpm'))).toBe(false);
  });
});
