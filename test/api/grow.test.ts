import { appendFile, cp, readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type GrowOptionsOfRun,
  exportRun,
  growRun,
  importRun,
  resolveConfig,
  resume,
  sample,
  train,
} from '../../src/index.ts';
import { grownConfig } from '../../src/api/grow/config.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { ConfigInput, RunConfig } from '../../src/config/config.ts';
import { pastOf } from '../../src/known/trained-with.ts';
import { patchResizes } from '../../src/models/grow-patches.ts';
import {
  latestCheckpoint,
  readCheckpointPart,
  stepName,
  verifyCheckpoint,
} from '../../src/runs/checkpoint.ts';
import type { SavedCheckpoint } from '../../src/runs/checkpoint.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { checkpointFolder, readRun } from '../../src/runs/run-folder.ts';
import { createModel } from '../../src/train/create-model.ts';
import { initialValues } from '../support/models.ts';
import { pictureFolder } from '../support/picture-folder.ts';
import { temporaryFolder } from '../support/cli.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

const quiet = { backend: referenceBackend() };
let runs: string;
let source: string;
let small: ConfigInput;
beforeAll(async () => {
  runs = await temporaryFolder();
  small = {
    name: 'small',
    data: { source: 'folder', path: await pictureFolder(), channels: 1, size: 8 },
    model: { width: 16, depth: 1, heads: 2, patchSize: 2 },
    train: { steps: 4, batchSize: 5, logEvery: 1, sampleEvery: 0, checkpointEvery: 2 },
    optimizer: { learningRate: 1e-3 },
    ema: { decays: [0.9] },
    sample: { steps: 1, perClass: 1 },
    growth: { moments: 'kept' },
  };
  ({ run: source } = await train(small, { runs, ...quiet }));
});

const grown = (options: GrowOptionsOfRun): ReturnType<typeof growRun> =>
  growRun(source, { runs, ...quiet, ...options });
const saved = (run: string): Promise<SavedCheckpoint> => latestCheckpoint(checkpointFolder(run));

async function valuesOf(
  run: string,
  part: 'model' | 'ema' | 'optimizer' | 'averages',
  name: string,
): Promise<number[]> {
  return [...((await readCheckpointPart(await saved(run), part)).get(name)!.data as Float32Array)];
}

describe('a run that cannot grow so is refused, and nothing is made', () => {
  it.each<[string, GrowOptionsOfRun, RegExp]>([
    [
      'smaller images',
      { imageSize: [16, 6] },
      /grow: image size must be no smaller than the 8x8 of the run, which grows, got 16x6/,
    ],
    [
      'a size that the patch does not divide',
      { imageSize: 18, patchSize: 4 },
      /a multiple of the patch size 4 on both sides, the nearest being 16x16 or 20x20, got 18x18/,
    ],
    [
      'another width',
      { imageSize: 16, changes: { model: { width: 24 } } },
      /small: the new model cannot take its weights: x_embedder\.proj\.weight would be \[16, 1, 2, 2\] and has to be \[24, 1, 2, 2\]; .*and \d+ more\. Only image size/,
    ],
    [
      'no classes any more',
      { changes: { data: { condition: 'none' }, model: { classes: 0 }, sample: { labels: [] } } as never },
      /the new model cannot take its weights: y_embedder\.embedding_table\.weight has no place in it\. Only image size/,
    ],
    ['a checkpoint that is not there', { checkpoint: 3 }, /there is no checkpoint of step 3/],
    ['settings that are none', { changes: { trian: {} } as never }, /trian: no such setting/],
  ])('%s', async (_, options, message) => {
    const before = await readdir(runs);
    await expect(grown({ name: 'refused', ...options })).rejects.toThrow(message);
    expect(await readdir(runs)).toEqual(before);
  });

  it('data of one size, unless others are given', async () => {
    const { run } = await train({ ...tinyStripes, name: 'fixed' }, { runs, ...quiet, source: stripes() });
    await expect(growRun(run, { runs, ...quiet, imageSize: [16, 24] })).rejects.toThrow(
      /fixed: its data, custom, cannot be read at 16x24\. Give data of that size, as in --set data\.path=/,
    );
    const { config, before } = await growRun(run, { runs, ...quiet, patchSize: 2, name: 'finer' });
    expect(config.model).toMatchObject({ imageSize: [8, 12], patchSize: 2 });
    expect(before).toBeUndefined();
  });

  it('a checkpoint that is damaged, with the file, also where an older one is intact', async () => {
    const damaged = join(runs, 'damaged');
    await cp(source, damaged, { recursive: true });
    await appendFile(join(damaged, 'checkpoints', stepName(4), 'optimizer.safetensors'), 'x');
    await expect(growRun(damaged, { runs, ...quiet, imageSize: 16, name: 'never' })).rejects.toThrow(
      /step-0000004\/optimizer\.safetensors: has \d+ bytes, \d+ were written\. The checkpoint is damaged/,
    );
    const { step } = await growRun(damaged, { runs, ...quiet, imageSize: 16, name: 'older', checkpoint: 2 });
    expect(step).toBe(2);
  });
});

describe('a run that has grown', () => {
  it('has the weights, averages and moments of the other, resized, and says so', async () => {
    const { run, config, step, told, before, after } = await grown({ imageSize: 16, patchSize: 4 });
    expect(run).toBe(join(runs, 'small-16'));
    expect(step).toBe(4);
    expect(config).toMatchObject({
      name: 'small-16',
      model: { imageSize: [16, 16], patchSize: 4, width: 16 },
      data: { transforms: [{ size: 16 }, { size: 16 }] },
      ema: { ramp: false, decays: [0.9] },
      train: { steps: 4 },
    });
    const { resize } = patchResizes({ width: 16, channels: 1, patchSize: 2 }, 4, 'pseudo-inverse').get(
      'x_embedder.proj.weight',
    )!;
    for (const [part, name, content] of [
      ['model', 'x_embedder.proj.weight', 'weights'],
      ['ema', 'x_embedder.proj.weight', 'weights'],
      ['averages', 'ema.0.9/x_embedder.proj.weight', 'weights'],
      ['optimizer', 'adamw.m/x_embedder.proj.weight', 'gradients'],
      ['optimizer', 'adamw.v/x_embedder.proj.weight', 'squares'],
    ] as const)
      expect(await valuesOf(run, part, name)).toEqual([
        ...resize(await valuesOf(source, part, name), content),
      ]);
    for (const [part, name] of [
      ['model', 'blocks.0.attn.qkv.weight'],
      ['optimizer', 'adamw.v/blocks.0.attn.qkv.weight'],
    ] as const)
      expect(await valuesOf(run, part, name)).toEqual(await valuesOf(source, part, name));
    expect(told[0]).toMatch(
      /^\d+ parameters kept as they are, 3 resized: .*x_embedder\.proj\.weight \[16, 1, 2, 2\] -> \[16, 1, 4, 4\].* None is new\.$/,
    );
    expect(told[1]).toBe(
      'Tokens are 4x4 as before, at the same places. The moments of the optimizer are resized with them.',
    );
    expect(told[2]).toMatch(/^The loss on 6 samples, at the same times, was \d/);
    expect(before!.loss).toBeGreaterThan(0);
    expect(after!.loss).not.toBe(before!.loss);
    const state = await saved(run);
    expect(state.state).toMatchObject({ momentsFrom: -4, data: { shape: [1, 16, 16] } });
    const { files } = await saved(source);
    expect(pastOf(state)).toEqual({
      nullTrained: true,
      begunFrom: { run: source, step: 4, sha256: files['ema.safetensors']!.sha256, by: 'grow' },
    });
  });

  it('is trained and sampled like any other, and resumes to the bit', async () => {
    const { run } = await grown({
      imageSize: 16,
      patchSize: 4,
      name: 'trained',
      changes: { train: { checkpointEvery: 1 } },
    });
    const copy = join(runs, 'trained-copy');
    await cp(run, copy, { recursive: true });
    expect(await resume(run, quiet)).toMatchObject({ step: 4, finished: true });
    expect((await sample(run, { count: 1, ...quiet })).shape).toEqual([1, 16, 16]);
    const { records } = await readMetrics(join(run, 'metrics.jsonl'));
    expect(records.map(({ step }) => step)).toEqual([1, 2, 3, 4]);
    const controller = new AbortController();
    const onCheckpoint = (): void => controller.abort();
    await resume(copy, { ...quiet, signal: controller.signal, onCheckpoint });
    await resume(copy, quiet);
    const files = async (of: string): Promise<unknown> => (await saved(of)).files;
    expect(await files(copy)).toEqual(await files(run));
    // Its moments are as old as those of the run that it grew from and its own steps.
    const again = await growRun(run, { runs, ...quiet, name: 'grown-again' });
    expect((await saved(again.run)).state).toMatchObject({ momentsFrom: -8 });
  });

  it('tells the loss that the run had on the samples that it holds out, and what they lose now', async () => {
    const { run } = await train(
      { ...small, name: 'held', heldOut: { count: 3, every: 4 } },
      { runs, ...quiet },
    );
    const { heldOutLoss: loss, heldOutLossEma: lossEma } = (
      await readMetrics(join(run, 'metrics.jsonl'))
    ).records.at(-1)!;
    expect(lossEma).not.toBe(loss);
    const { before, after, told } = await growRun(run, { runs, ...quiet, imageSize: 16, patchSize: 4 });
    expect(before).toEqual({ loss, lossEma, samples: 3, areHeldOut: true });
    expect(after!.lossEma).not.toBe(after!.loss);
    expect(told[2]).toContain('The loss on 3 held-out samples, at the same times, was ');
  });

  it('with new moments begins with none', async () => {
    const { run, told } = await grown({ imageSize: 16, moments: 'new', name: 'new-moments' });
    expect(told.join()).toMatch(/The moments of the optimizer begin with zero/);
    expect((await saved(run)).state).not.toHaveProperty('momentsFrom');
    expect(Math.max(...(await valuesOf(run, 'optimizer', 'adamw.v/blocks.0.attn.qkv.weight')))).toBe(0);
  });

  it('has positions as counted, or stretched over the grid that it knew', async () => {
    const kept = await grown({ imageSize: 16, name: 'counted' });
    expect(kept.told[1]).toMatch(
      /^Tokens were 4x4 and are 8x8 now: their positions are computed anew, by whole numbers/,
    );
    expect(kept.config.model).not.toHaveProperty('positionGrid', [4, 4]);
    const { config, run, told } = await grown({ imageSize: 16, positions: 'stretched', name: 'stretched' });
    expect(config.model).toMatchObject({ positions: 'stretched', positionGrid: [4, 4] });
    expect(told[1]).toMatch(/stretched over 4x4/);
    const again = await growRun(run, { runs, ...quiet, imageSize: 32, positions: 'centred', name: 'again' });
    expect(again.config.model).toMatchObject({ positions: 'centred', positionGrid: [4, 4] });
  });

  it('is stretched over the grid of tokens that the run had, whatever its patches become', () => {
    const model = { width: 8, depth: 1, heads: 1, patchSize: 4, channels: 1, classes: 0 };
    const from = resolveConfig({
      data: { source: 'folder', path: 'x', channels: 1, transforms: [{ kind: 'resize', size: [8, 12] }] },
      model: { ...model, imageSize: [8, 12] },
    });
    const wanted = { imageSize: [16, 24], patchSize: 8, positions: 'stretched' } as const;
    expect(grownConfig('run', from, wanted).model).toMatchObject({ patchSize: 8, positionGrid: [2, 3] });
    const stretched = resolveConfig(grownConfig('run', from, wanted));
    // Kept is as the run has them.
    expect(grownConfig('run', stretched, { imageSize: [32, 48] }).model).toMatchObject({
      positions: 'stretched',
      positionGrid: [2, 3],
    });
  });

  it('of imported weights knows their file', async () => {
    const to = join(runs, 'exported.safetensors');
    await exportRun(source, { to });
    const { run: imported } = await importRun(to, { runs });
    const { run } = await growRun(imported, { runs, ...quiet, patchSize: 4, name: 'of-imported' });
    expect(pastOf(await saved(run))).toMatchObject({
      imported: { file: to },
      begunFrom: { run: imported, step: 0, by: 'grow' },
    });
  });

  it('may be deeper: new blocks begin as those of a new model, and are named', async () => {
    const { run, told, config } = await grown({ changes: { model: { depth: 2 }, seed: 3 }, name: 'deeper' });
    expect(told[0]).toMatch(/0 resized\. New, with their first values: blocks\.1\.attn\.qkv\.weight, /);
    const spec = createModel(config.model).parameters.find(
      ({ name }) => name === 'blocks.1.attn.qkv.weight',
    )!;
    expect(await valuesOf(run, 'model', spec.name)).toEqual([...(await initialValues(spec, 3))]);
    expect(Math.max(...(await valuesOf(run, 'optimizer', `adamw.v/${spec.name}`)))).toBe(0);
    expect(await resume(run, quiet)).toMatchObject({ finished: true });
  });

  it('keeps no averages that its config does not ask for', async () => {
    const { run } = await grown({ imageSize: 16, name: 'plain', changes: { ema: { decays: [] } } });
    expect(Object.keys((await saved(run)).files)).not.toContain('averages.safetensors');
    expect(await resume(run, quiet)).toMatchObject({ finished: true });
  });

  it('may have stages of its own, of which the first begins with the weights', async () => {
    const stages = [{ imageSize: 12, steps: 1 }, { steps: 1 }];
    // As long as they are: the length of the run that grows is not theirs.
    const changes: ConfigInput = { stages, train: { microBatch: 'auto' } };
    const { run } = await grown({ imageSize: 16, name: 'staged', changes });
    // Every stage is the same wherever it is resumed.
    const { config } = await readRun(run);
    expect((config as RunConfig).stages.map(({ microBatch }) => microBatch)).toEqual([5, 5]);
    expect((await saved(run)).state).toMatchObject({ stage: 0, data: { shape: [1, 12, 12] } });
    expect(await resume(run, quiet)).toMatchObject({ step: 2, finished: true });
    expect((await saved(run)).state).toMatchObject({ stage: 1, momentsFrom: -4 });
    // A run of stages grows from the size of the checkpoint.
    const first = await verifyCheckpoint(join(run, 'checkpoints', stepName(1)));
    expect(first.state['stage']).toBe(0);
    const again = await growRun(run, { runs, ...quiet, checkpoint: 1, patchSize: 4, name: 'from-first' });
    expect(again.config).toMatchObject({ stages: [], model: { imageSize: [12, 12], patchSize: 4 } });
  });

  it('leaves the other as it was', async () => {
    const before = await readFile(join(source, 'config.json'), 'utf8');
    const { files } = await saved(source);
    await grown({ imageSize: 16, name: 'reading' });
    expect(await readFile(join(source, 'config.json'), 'utf8')).toBe(before);
    expect((await saved(source)).files).toEqual(files);
    expect(resolveConfig(JSON.parse(before).config).model).toMatchObject({ imageSize: [8, 8] });
  });
});
