import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import sharp from 'sharp';
import { type Finished, rectiflow, temporaryFolder } from '../support/cli.ts';
import { tinyDigits } from '../support/tiny-run.ts';

let folder: string;
let trained: Finished;

beforeAll(async () => {
  folder = await temporaryFolder();
  await writeFile(join(folder, 'tiny.json'), JSON.stringify(tinyDigits));
  trained = await rectiflow(folder, ['train', 'tiny.json', '--steps', '3', '--threads', '1']);
});

const run = (...args: string[]): Promise<Finished> => rectiflow(folder, args);

describe('train', () => {
  it('shows what it works on, how it goes, and at its end the files it made', () => {
    const { code, stdout, stderr } = trained;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(
      /^run {6}runs\/tiny\ndata {5}digits \(test\), 10,000 samples\ntold {5}labels \(10 classes\)\nmodel {4}.* parameters\nbackend {2}/m,
    );
    expect(stdout).toMatch(
      /^step 1\/3 {2}loss 1\.\d+ {2}.* samples\/s {2}learning rate .* {2}gradient norm /m,
    );
    expect(stdout).toMatch(/^Trained 3 steps in .*, loss \d/m);
    const files = [...stdout.matchAll(/^ {2}(samples|checkpoint|metrics) +(.*)$/gm)].map(
      ([, , path]) => path!,
    );
    expect(files).toHaveLength(3);
    expect(files.filter((file) => !existsSync(join(folder, file)))).toEqual([]);
    expect(stdout).toMatch(/^Make more: {2}npx rectiflow sample runs\/tiny$/m);
  });

  it.each([
    [['no-such.yaml'], /^error: no-such\.yaml: no such file or folder\. /],
    [['digit'], /^error: .*no recipe "digit"\. Did you mean "digits"\?/],
    [
      ['tiny.json', '--set', 'train.stepz=3'],
      /^error: tiny\.json: train\.stepz: no such setting\. Did you mean "steps"\?/,
    ],
    [['tiny.json', '--set', 'data.folder=nowhere'], /^error: nowhere\/.*: no such file or folder\. Install/],
    [
      ['tiny.json', '--set', 'model.patchSize=5'],
      /^error: .*must be a multiple of the patch size 5 .*28 x 28\./,
    ],
    [['tiny.json', '--set', 'backend.isa=sse9'], /^error: .*backend\.isa: wanted one of/],
    [
      ['tiny.json', '--steps', 'many'],
      /^error: option '--steps <number>' argument 'many' is invalid\. It must be a whole/,
    ],
  ])('%s ends with an error and makes no run', async (args, message) => {
    const before = await readdir(join(folder, 'runs'));
    const { code, stdout, stderr } = await run('train', ...args);
    expect(code).toBe(1);
    expect(stdout).toBe('');
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^ +at /m);
    expect(await readdir(join(folder, 'runs'))).toEqual(before);
  });
});

describe('sample', () => {
  it('writes an image folder with a folder for each label, and a grid', async () => {
    const { code, stdout } = await run(
      'sample',
      'runs/tiny',
      '--labels',
      '0-1,7',
      '--count',
      '2',
      '--out',
      'new',
    );
    expect(code).toBe(0);
    expect(stdout).toBe('6 samples of step 3 in new\nLook at new.png\n');
    expect((await readdir(join(folder, 'new'))).toSorted()).toEqual(['0', '1', '7']);
    expect((await readdir(join(folder, 'new', '7'))).toSorted()).toEqual(['0.png', '1.png']);
    const { width, height, channels } = await sharp(join(folder, 'new', '7', '1.png')).metadata();
    expect({ width, height, channels }).toEqual({ width: 28, height: 28, channels: 1 });
  });

  it('goes from noise to data as it is told', async () => {
    const asked = '--labels 3 --count 1 --guidance 3 --guidance-interval 0.2,0.8 --out';
    for (const way of [
      'dopri5 --sampler dopri5 --rtol 1e-2 --atol 0.1',
      'sde --sampler euler-maruyama --diffusion 0 --time-shift 2',
    ]) {
      const out = way.split(' ')[0];
      const { code, stdout } = await run('sample', 'tiny', ...asked.split(' '), ...way.split(' '));
      expect({ code, stdout }).toEqual({
        code: 0,
        stdout: `1 sample of step 3 in ${out}\nLook at ${out}.png\n`,
      });
    }
  });

  it('makes images of another size', async () => {
    const { code, stderr } = await run(
      'sample',
      'tiny',
      '--labels',
      '1',
      '--count',
      '1',
      '--image-size',
      '14x21',
      '--out',
      'wide',
    );
    expect({ code, stderr }).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('trained at 28x28') as string,
    });
    const [folderOf] = await readdir(join(folder, 'wide'));
    const [image] = await readdir(join(folder, 'wide', folderOf!));
    expect(await sharp(join(folder, 'wide', folderOf!, image!)).metadata()).toMatchObject({
      width: 21,
      height: 14,
    });
  });

  it('shows how one comes out of noise, in place of samples', async () => {
    const { code, stdout } = await run('sample', 'tiny', '--labels', '3', '--steps', '20', '--path');
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout:
        'The path of a sample of step 3, in numbers: samples/tiny-path/path.json\nLook at samples/tiny-path/path.png\n',
    });
    expect((await readdir(join(folder, 'samples', 'tiny-path'))).toSorted()).toEqual([
      'path.json',
      'path.png',
    ]);
    // Three rows of digits, twice as large.
    const { height } = await sharp(join(folder, 'samples', 'tiny-path', 'path.png')).metadata();
    expect(height).toBeGreaterThan(3 * 56);
    expect(height).toBeLessThan(4 * 56);
  });

  it('never mixes samples of two calls', async () => {
    const again = await rectiflow(folder, ['sample', 'tiny', '--labels', '1', '--out', 'new']);
    expect(again).toMatchObject({
      code: 1,
      stderr: 'error: new: holds files already. Remove it, or choose another folder.\n',
    });
    const options = ['--labels', '1', '--count', '1', '--steps', '1'];
    for (const name of ['tiny', 'tiny-2']) {
      const { stdout } = await rectiflow(folder, ['sample', 'tiny', ...options]);
      expect(stdout).toContain(`in samples/${name}\nLook at samples/${name}.png\n`);
    }
  });

  it.each([
    [['runs/tinny'], /^error: runs\/tinny: is no run: .* Did you mean "tiny"\?/],
    [
      ['tiny', '--labels', '3,10'],
      /^error: sample: labels must be classes of the model, from 0 to 9 or names of them: 0, 1, 2, 3, 4 and 5 more, got 10/,
    ],
    [['tiny', '--path', '--labels', '0-9'], /^error: sample path: labels must be one/],
    [
      ['tiny', '--path', '--count', '2'],
      /^error: option '--path' cannot be used with option '-c, --count <number>'/,
    ],
    [['tiny', '--labels', 'three'], /^error: sample: labels must be classes of the model, .*, got three/],
    [
      ['tiny', '--checkpoint', '2'],
      /^error: runs\/tiny: there is no checkpoint of step 2\. There is one of step 3\./,
    ],
    [
      ['tiny', '--sampler', 'eular'],
      /^error: option .* argument 'eular' is invalid\. Allowed choices are euler, heun, midpoint, .*\./,
    ],
    [['tiny', '--time-shift', '0'], /^error: option .* It must be a number above 0\./],
    [['tiny', '--diffusion', '-1'], /^error: option .* It must be a number from 0\./],
    [['tiny', '--guidance-interval', '0.8,0.2'], /^error: option .* the lower one first, as in 0\.2,0\.8\./],
    [['tiny', '--guidance-interval', '0.8'], /^error: option .* two times from 0 to 1/],
  ])('%s ends with an error', async (args, message) => {
    const { code, stderr } = await run('sample', ...args);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
  });
});

describe('info', () => {
  it('tells what a run is and how far it came', async () => {
    const { code, stdout } = await run('info', 'tiny');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ {2}trained on {3}10,000 samples, told labels: 0, 1, 2, 3, 4 and 5 more$/m);
    expect(stdout).toMatch(/^ {2}progress {5}step 3 of 3, .*s, loss \d/m);
    expect(stdout).toMatch(/^ {2}transformer {2}32 wide, 2 deep, 2 heads, 16 tokens of 7x7 pixels$/m);
    expect(stdout).toMatch(/^Make samples: {2}npx rectiflow sample runs\/tiny$/m);
  });

  it('tells what a model of any size needs without taking it', async () => {
    const { code, stdout } = await run('info', 'DiT-XL/8', '--image-size', '256', '--classes', '1000');
    expect(code).toBe(0);
    expect(stdout).toContain('675,221,952');
    expect(stdout).toMatch(/^ {2}1 +10\.1 GiB +\d.* GiB$/m);
  });

  it.each([
    [['DiT-S/8', '--image-size', '60'], /^error: DiT: the image size must be a multiple of the patch size 8/],
    [['DiT-S/8'], /^error: info: how large are the images of DiT-S\/8\? Add --image-size/],
  ])('%s ends with an error', async (args, message) => {
    const { code, stderr } = await run('info', ...args);
    expect(code).toBe(1);
    expect(stderr).toMatch(message);
  });
});

it('suggests the command that was meant', async () => {
  const { code, stderr } = await run('tran', 'digits');
  expect(code).toBe(1);
  expect(stderr).toMatch(/unknown command 'tran'\n\(Did you mean train\?\)/);
});
