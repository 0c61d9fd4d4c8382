import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type PlanOptions, plan } from '../../../src/api/plan/plan.ts';
import type { RunPlan } from '../../../src/api/plan/result.ts';
import { train } from '../../../src/api/train.ts';
import { referenceBackend } from '../../../src/backends/reference/index.ts';
import type { ConfigInput } from '../../../src/config/config.ts';
import { loadConfig } from '../../../src/config/load-config.ts';
import { temporaryFolder } from '../../support/cli.ts';
import { stripes, tinyStripes } from '../../support/tiny-run.ts';

const config: ConfigInput = {
  ...tinyStripes,
  train: { ...tinyStripes.train, logEvery: 2, sampleEvery: 6, checkpointEvery: 4, keepCheckpoints: 2 },
  heldOut: { count: 3, every: 6 },
};

const planned = (changes: ConfigInput = {}, options: PlanOptions = {}): Promise<RunPlan> =>
  plan(
    { ...config, ...changes },
    { source: stripes(), backend: referenceBackend(), seconds: 0.5, ...options },
  );

describe('a plan', () => {
  it('times steps of the very run with all that is done beside them, and leaves nothing behind', async () => {
    const folder = await temporaryFolder();
    const told = new Set<string>();
    const found = await planned({}, { runs: join(folder, 'runs'), onProgress: (what) => told.add(what) });
    expect(await readdir(folder)).toEqual([]);
    expect([...told]).toEqual(['reading samples', 'training', 'drawing samples']);
    const { time, training, data } = found;
    expect(time.by).toBe('run');
    expect(time.how).toMatch(/^[\d,]+ steps of this very run, with their data, were timed$/);
    expect(training).toMatchObject({ steps: 12, logged: 7, heldOut: 2, grids: 2, checkpoints: 3, kept: 2 });
    expect(training).toMatchObject({ batchSize: 5, microBatch: 5, precision: 'fp32', recompute: false });
    for (const part of ['step', 'grid', 'heldOut', 'checkpoint', 'start'] as const)
      expect(time[part]).toBeGreaterThan(0);
    expect(time.steps).toBe(12 * time.step);
    expect(time.beside).toBeCloseTo(
      7 * time.logging + 2 * time.heldOut + 2 * time.grid + 3 * time.checkpoint,
      9,
    );
    expect(time.total).toBeCloseTo(time.start + time.steps + time.beside, 9);
    expect(time.speed).toBeCloseTo(found.flops.step / time.step, 3);
    expect(data).toMatchObject({ name: 'stripes', samples: 17, epochs: 60 / 17 });
    expect(data.needed).toBeCloseTo(5 / time.step, 6);
    // The interpreter has no peak.
    expect(time.utilisation).toBeUndefined();
  });

  it('tells of memory what training says when it begins, and of the disk what a run leaves', async () => {
    const runs = await temporaryFolder();
    const found = await planned({}, { runs });
    let estimate: unknown;
    const { run } = await train(config, {
      runs,
      source: stripes(),
      backend: referenceBackend(),
      onPlan: (said) => ({ estimate } = said),
    });
    const { process: _, total: __, ...parts } = found.memory.estimate;
    expect(estimate).toMatchObject(parts);
    expect(found.memory.fits).toBe(true);
    const sizes = await Promise.all(
      (await readdir(run, { recursive: true, withFileTypes: true }))
        .filter((entry) => entry.isFile())
        .map(async (entry) => (await stat(join(entry.parentPath, entry.name))).size),
    );
    const written = sizes.reduce((sum, size) => sum + size, 0);
    // Of so small a model headers and texts are most.
    expect(found.disk.total / written).toBeGreaterThan(0.5);
    expect(found.disk.total / written).toBeLessThan(1.5);
  });

  it('times fewer blocks and samples of what would take too long', async () => {
    const found = await planned(
      { model: { ...tinyStripes.model, depth: 6 }, train: { steps: 1000, batchSize: 64, microBatch: 16 } },
      { seconds: 0.01 },
    );
    expect(found.time.by).toBe('smaller');
    expect(found.time.how).toMatch(
      /^steps with 1 and \d+ of 6 blocks, and \d+ and \d+ of 64 samples were timed: what each/,
    );
    expect(found.time.step).toBeGreaterThan(0);
    expect(found.assumptions).toContain(
      'reading samples takes from the time of steps what it takes on its own',
    );
    expect(found.training).toMatchObject({ microBatch: 16, batchSize: 64 });
  });

  it('takes few of the steps of a sampler that takes many', async () => {
    const few = await planned({ sample: { ...tinyStripes.sample, steps: 4 } });
    const many = await planned({ sample: { ...tinyStripes.sample, steps: 400_000 } });
    expect(many.time.grid).toBeGreaterThan(100 * few.time.grid);
    expect(many.flops.grid).toBe(100_000 * few.flops.grid);
  });

  it('is made of an autoencoder, too, whose reconstructions take no steps', async () => {
    const model = { kind: 'autoencoder', blockOutChannels: [8], layersPerBlock: 1, normGroups: 4 } as const;
    const changes = { sample: { perClass: 2 }, heldOut: { count: 0 } };
    const found = await planned({ ...changes, model: { ...model, latentChannels: 2 } });
    expect(found.time.by).toBe('run');
    expect(found.time.grid).toBeGreaterThan(0);
    expect(found.disk.samples).toBeGreaterThan(0);
    expect(found.sizes).toEqual([]);
  });

  it('times nothing where it is told to, and says what it takes instead', async () => {
    const found = await planned({}, { seconds: 0 });
    expect(found.time).toMatchObject({ by: 'peak', how: expect.stringMatching(/^no step was timed: /) });
    expect(found.time.total).toBeGreaterThan(0);
  });

  it('has tables of machines, sizes and ranks, for the machine that is named', async () => {
    const found = await planned({}, { seconds: 0, machine: 'A100', utilisation: 0.5 });
    const machine = found.machines.find(({ name }) => name === 'A100')!;
    expect(machine).toMatchObject({ precision: 'bf16', microBatch: 5, recompute: false });
    expect(found.basis).toEqual({ machine: 'A100', speed: 156e12, link: 'NVLink, 300 GB/s' });
    expect(found.sizes.map(({ imageSize, patchSize, tokens }) => [imageSize, patchSize, tokens])).toEqual([
      [64, 4, 256],
      [128, 8, 256],
      [256, 8, 1024],
      [512, 16, 1024],
    ]);
    for (const size of found.sizes) expect(size.total).toBeCloseTo((12 * size.flops) / 156e12, 12);
    expect(found.ranks[0]).toMatchObject({ batchSize: 5, ranks: 1, step: machine.step });
    // So small a step is no more than the beginning of its kernels.
    expect(machine.step).toBeGreaterThan(found.flops.step / 156e12);
  });

  it('of data that are not there says what it assumes', async () => {
    const sets = ['model.preset=DiT-Ti/64', 'optimizer.warmupSteps=1', 'train.batchSize=2', 'train.steps=10'];
    const { parsed, absent } = await loadConfig('imagenet', sets, undefined, true);
    const found = await plan(parsed, { absent, backend: referenceBackend(), seconds: 0 });
    expect(found.data).toMatchObject({ name: 'ImageNet (assumed)', samples: 1_281_167 });
    expect(found.assumptions[0]).toBe(
      'the data were not there: ImageNet with 1,281,167 images in 1,000 classes was assumed, and a photograph of 500x375 pixels, 110 kB of JPEG, stands for each image',
    );
  });

  it.each<[ConfigInput, PlanOptions, RegExp]>([
    [{}, { machine: 'H10' }, /^plan: machine must be one of .*, got "H10"\. Did you mean "H100"\?$/],
    [{}, { utilisation: 0 }, /^plan: utilisation must be a number above 0, at most 1, got 0$/],
    [{}, { utilisation: Number.NaN }, /^plan: utilisation must be/],
    [{}, { seconds: -1 }, /^plan: seconds must be a number from 0, got -1$/],
    [{ train: { steps: 0 } }, { origin: 'mine.yaml' }, /^mine\.yaml: train\.steps: wanted/],
    [
      { model: { ...tinyStripes.model, patchSize: 5 } },
      {},
      /the image size must be a multiple of the patch size 5/,
    ],
  ])('refuses %j, %j', async (changes, options, message) => {
    await expect(planned(changes, options)).rejects.toThrow(message);
  });

  it('ends where it is stopped, whatever is under way', async () => {
    for (const stage of ['reading samples', 'training', 'drawing samples']) {
      const controller = new AbortController();
      const onProgress = (what: string): void => {
        if (what === stage) controller.abort(new Error('stopped'));
      };
      await expect(planned({}, { signal: controller.signal, onProgress })).rejects.toThrow('stopped');
    }
  });
});
