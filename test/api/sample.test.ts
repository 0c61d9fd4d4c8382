import { readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { type SampleRunOptions, sample } from '../../src/api/sample.ts';
import type { Samples } from '../../src/runner/samples/samples.ts';
import { train } from '../../src/api/train.ts';
import { writeSamples } from '../../src/runner/samples/write-samples.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { temporaryFolder } from '../support/cli.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

const backend = referenceBackend();
let run: string;
let unconditional: string;

beforeAll(async () => {
  const options = { runs: await temporaryFolder(), source: stripes(), backend };
  const steps = { ...tinyStripes.train, steps: 6, checkpointEvery: 3 };
  const config = { ...tinyStripes, train: steps, optimizer: { learningRate: 1e-2 } };
  run = (await train(config, options)).run;
  unconditional = (await train({ ...config, model: { ...config.model, classes: 0 } }, options)).run;
});

const images = async (options: SampleRunOptions = {}): Promise<Float32Array> =>
  (await sample(run, { backend, steps: 3, labels: [0, 2], count: 2, ...options })).values;

describe('samples of a run', () => {
  it('are those of each label in turn', async () => {
    const {
      annotations,
      shape,
      step,
      values: all,
    } = await sample(run, {
      backend,
      labels: [2, 0],
      count: 3,
    });
    const labels = annotations.map(({ label }) => label);
    expect({ labels, shape, step }).toEqual({ labels: [2, 2, 2, 0, 0, 0], shape: [1, 8, 12], step: 6 });
    expect(all.length).toBe(6 * 96);
  });

  it('are of classes by name before number, where they have names', async () => {
    const options = {
      runs: await temporaryFolder(),
      source: { ...stripes(), classNames: ['0', '2', '1'] },
      backend,
    };
    const { run: named } = await train(
      { ...tinyStripes, sample: { labels: ['2', 2], perClass: 1, steps: 1 } },
      options,
    );
    const said: string[] = [];
    const labelsOf = async (labels?: SampleRunOptions['labels']): Promise<unknown[]> => {
      const onNotice = (text: string): unknown => said.push(text);
      const { annotations } = await sample(named, { backend, labels, count: 1, steps: 1, onNotice });
      return annotations.map(({ label }) => label);
    };
    expect(await labelsOf(['2', '0-1', 1])).toEqual([1, 0, 2, 1]);
    expect(await labelsOf()).toEqual([1, 2]);
    expect(said).toEqual([]);
    expect(await labelsOf(['02'])).toEqual([1]);
    expect(said).toEqual([`labels that are no class's name: "02" (taken for "2")`]);
  });

  it('are by default as the config of the run says', async () => {
    const { annotations } = await sample(run, { backend, count: 1 });
    expect(annotations).toEqual([{ label: 0 }, { label: 1 }, { label: 2 }]);
    expect(await images({ steps: undefined })).toEqual(
      await images({ steps: 2, sampler: 'euler', guidance: 2 }),
    );
  });

  it('may be of another size than the model was trained at, which is said', async () => {
    const said: string[] = [];
    const onNotice = (text: string): unknown => said.push(text);
    const asked = { backend, steps: 3, labels: [0, 2], count: 2, onNotice } as const;
    const { shape, values, made } = await sample(run, { ...asked, imageSize: [16, 4] });
    expect([shape, values.length]).toEqual([[1, 16, 4], 4 * 64]);
    expect(values.every(Number.isFinite)).toBe(true);
    expect(said).toEqual([
      'the model was trained at 8x12: at 16x4 it makes what it has never seen, which may be worse.',
    ]);
    expect((await sample(run, { ...asked, imageSize: 8 })).shape).toEqual([1, 8, 8]);
    const own = await sample(run, { ...asked, imageSize: [8, 12] });
    expect(own.values).toEqual(await images());
    expect(said).toHaveLength(2);
    expect(made!.id).not.toBe(own.made!.id);
    await expect(sample(run, { ...asked, imageSize: [9, 12] })).rejects.toThrow(
      /DiT: the image size must be a multiple of the patch size 4 on both sides, got 9 x 12/,
    );
  });

  it('are the same for the same options', async () => {
    const first = await images();
    expect(await images()).toEqual(first);
  });

  it.each<SampleRunOptions>([
    { weights: 'model' },
    { checkpoint: 3 },
    { seed: 1 },
    { sampler: 'heun' },
    { sampler: 'midpoint' },
    { sampler: 'rk4' },
    { sampler: 'dopri5' },
    { sampler: 'euler-maruyama' },
    { timeShift: 3 },
    { guidanceInterval: [0, 0.8] },
    { guidance: 3 },
    { labels: [1, 2] },
  ])('are others with %o', async (change) => {
    expect(await images(change)).not.toEqual(await images());
  });

  it.each<[SampleRunOptions, SampleRunOptions]>([
    [{ sampler: 'dopri5' }, { rtol: 1e-6, atol: 1e-6 }],
    [{ sampler: 'euler-maruyama' }, { diffusion: 0.5 }],
  ])('by %o are others with %o', async (options, change) => {
    expect(await images({ ...options, ...change })).not.toEqual(await images(options));
  });

  it('by a sampler that chooses its steps are the same whatever is said of steps', async () => {
    const chosen = await images({ sampler: 'dopri5' });
    expect(await images({ sampler: 'dopri5', steps: 3, timeShift: 2 })).toEqual(chosen);
  });

  it('have no labels where the model has no classes', async () => {
    const samples = await sample(unconditional, { backend, count: 5 });
    expect(samples.annotations).toEqual([]);
    expect(samples.values.length).toBe(5 * 96);
    const folder = join(await temporaryFolder(), 'new');
    expect(await writeSamples(folder, samples)).toEqual({ count: 5, view: `${folder}.png` });
    expect((await readdir(folder)).toSorted()).toEqual(['0.png', '1.png', '2.png', '3.png', '4.png']);
  });

  it.each<[SampleRunOptions, RegExp]>([
    [{ labels: [3] }, /^sample: labels must be classes of the model, from 0 to 2, got 3$/],
    [{ labels: [-1] }, /from 0 to 2, got -1$/],
    [{ labels: [0.5] }, /from 0 to 2, got 0\.5$/],
    [{ count: 0 }, /^sample: count must be a positive integer, got 0$/],
    [
      { count: 1e9 },
      /^sample: 2000000000 samples take [\d,]+ MiB of memory, and [\d,]+ MiB are free\. Make fewer/,
    ],
    [{ steps: 1e15 }, /^sample: steps must be at most 1000000, got 1000000000000000$/],
    [{ count: 2 ** 52 }, /^sample: \d+ samples take/],
    [{ steps: 0 }, /^sample: steps must be a positive integer, got 0$/],
    [{ checkpoint: 4 }, /there is no checkpoint of step 4\. There is one of step 3, 6\./],
  ])('%o are refused', async (options, message) => {
    await expect(images(options)).rejects.toThrow(message);
  });

  it('need no labels of a model without classes', async () => {
    await expect(sample(unconditional, { backend, labels: [0] })).rejects.toThrow(
      /^sample: labels must be left out: this model has no classes, got 0$/,
    );
  });
});

describe('files of samples', () => {
  const made = (classNames: string[], labels: number[]): Samples => ({
    values: new Float32Array(labels.length * 96),
    shape: [1, 8, 12],
    annotations: labels.map((label) => ({ label })),
    data: { classNames },
    step: 1,
  });

  it('of classes whose names are the same to a system are in folders of their own, which is said', async () => {
    const folder = join(await temporaryFolder(), 'new');
    const names = ['a/b', 'a:b', 'Cat', 'cat', '..', 'dog', 'dog'];
    const { renamed } = await writeSamples(folder, made(names, [0, 1, 2, 3, 4, 5, 6, 6]));
    const folders = (await readdir(folder)).toSorted();
    expect(folders).toEqual(['Cat', '_', 'a_b', 'a_b-1', 'cat-3', 'dog', 'dog-6']);
    expect(renamed).toEqual([
      { name: 'a/b', folder: 'a_b' },
      { name: 'a:b', folder: 'a_b-1' },
      { name: 'cat', folder: 'cat-3' },
      { name: '..', folder: '_' },
      { name: 'dog', folder: 'dog-6' },
    ]);
    expect(await readdir(join(folder, 'dog-6'))).toEqual(['0.png', '1.png']);
    // A row of 40 pixels for each class, also of those that share a name.
    const { height } = await sharp(`${folder}.png`).metadata();
    expect(height).toBe(7 * (8 * 5 + 2) - 2 + 16);
  });

  it('of a class are where they are whichever classes are sampled with it', async () => {
    const folder = join(await temporaryFolder(), 'new');
    await writeSamples(folder, made(['a:b', 'a/b', 'a_b'], [1]));
    expect(await readdir(folder)).toEqual(['a_b-1']);
  });

  it('leave a picture alone that is called as the grid would be', async () => {
    const folder = join(await temporaryFolder(), 'new');
    await writeFile(`${folder}.png`, 'mine');
    expect((await writeSamples(folder, made(['a'], [0]))).view).toBe(`${folder}-2.png`);
    expect(await readFile(`${folder}.png`, 'utf8')).toBe('mine');
  });
});
