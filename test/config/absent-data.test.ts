import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { diagnose } from '../../src/api/doctor/diagnose.ts';
import { assumedSource } from '../../src/api/assumed-source.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { recipes } from '../../src/recipes/index.ts';
import { rectiflow, temporaryFolder } from '../support/cli.ts';

const small = ['model.preset=DiT-Ti/8', 'train.batchSize=4'];

describe('a recipe whose data only the user can bring', () => {
  it('is refused without them, and says what they must look like and how to name them', async () => {
    await expect(loadConfig('imagenet')).rejects.toThrow(
      /^recipe imagenet: data\.path: wanted the folder of the training images, which has a folder for each of the 1,000 classes \(n01440764, .*\) with its \.JPEG files in it, found nothing\. Give it, as in --set data\.path=/,
    );
    const path = join(await temporaryFolder(), 'mine.yaml');
    await writeFile(path, 'recipe: imagenet\ntrain: { steps: 5 }\n');
    await expect(loadConfig(path)).rejects.toThrow(`${path}: data.path: wanted the folder of`);
  });

  it('is taken where they are named, or others are', async () => {
    const named = await loadConfig('imagenet', ['data.path=/data/imagenet']);
    expect(named.absent).toBeUndefined();
    expect(named.parsed.data).toMatchObject({ source: 'folder', path: '/data/imagenet' });
    const other = await loadConfig('imagenet', ['data.source=fashion'], undefined, true);
    expect(other.absent).toBeUndefined();
    expect((await loadConfig('digits', [], undefined, true)).absent).toBeUndefined();
  });

  it('is what the mission names', async () => {
    const { parsed, absent } = await loadConfig('imagenet', [], undefined, true);
    const config = parsed.resolve(await assumedSource(parsed.data, absent!));
    expect(config).toMatchObject({
      model: {
        kind: 'dit',
        width: 1152,
        depth: 28,
        heads: 16,
        patchSize: 8,
        imageSize: [256, 256],
        classes: 1000,
      },
      train: { steps: 400_000, batchSize: 2048, microBatch: 'auto', precision: 'auto' },
      optimizer: { learningRate: 1e-4 },
      ema: { decay: 0.9999 },
    });
    expect(config.optimizer.warmupSteps).toBeGreaterThan(0);
    expect(config.sample.labels.every((label) => label < 1000)).toBe(true);
  });

  it('is read as photographs of a usual size where nobody has them', async () => {
    const { parsed, absent } = await loadConfig('imagenet', [], undefined, true);
    const source = await assumedSource(parsed.data, absent!);
    expect(source).toMatchObject({ count: 1_281_167, classes: 1000, shape: [3, 256, 256] });
    const values = new Float32Array(3 * 256 * 256);
    expect(await source.read(1001, values, 0, { seed: 0, epoch: 0 })).toEqual({ label: 1 });
    expect(values.some((value) => value < -0.3)).toBe(true);
    expect(values.every((value) => value >= -1 && value <= 1)).toBe(true);
    expect(await source.inspect(0)).toMatchObject({ width: 500, height: 375, format: 'jpeg' });
  });

  it('has a doctor that says so and checks the rest', async () => {
    expect(recipes['imagenet']!.expects!.count).toBe(1_281_167);
    const { parsed, absent } = await loadConfig('imagenet', small, undefined, true);
    const checks = await diagnose(parsed, { absent });
    expect(checks.find(({ name }) => name === 'data')).toMatchObject({
      status: 'fail',
      text: expect.stringMatching(/^data\.path: wanted the folder of the training images/),
    });
    const others = checks.filter(({ name }) => name !== 'data').map(({ name }) => name);
    expect(others).toEqual(expect.arrayContaining(['memory', 'disk', 'learning rate', 'average']));
    expect(others).not.toContain('one batch');
  });

  it('ends the command line with one line', async () => {
    const { code, stdout, stderr } = await rectiflow(await temporaryFolder(), ['train', 'imagenet']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^error: recipe imagenet: data\.path: wanted .*\n$/);
  });
});
