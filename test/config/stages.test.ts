import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ConfigInput, loadConfig, recipeConfig, recipes, resolveConfig } from '../../src/index.ts';
import { temporaryFolder } from '../support/cli.ts';
import { configOfStage, dataAt } from '../../src/config/stages.ts';

const facts = { name: 'photos', count: 100, shape: [3, 64, 64] } as const;
const base = {
  data: { source: 'folder', path: 'photos', size: 64 },
  model: { width: 32, depth: 2, heads: 2, patchSize: 8 },
  optimizer: { learningRate: 2e-4 },
  train: { batchSize: 16 },
} as const satisfies ConfigInput;

const resolve = (stages: ConfigInput['stages'], more: ConfigInput = {}): ReturnType<typeof resolveConfig> =>
  resolveConfig({ ...base, ...more, stages: stages! } as ConfigInput, { facts });

const grown = [
  { imageSize: 32, patchSize: 4, steps: 100, batchSize: 64, learningRate: 1e-3 },
  { imageSize: [48, 64], steps: 40 },
  { steps: 60, warmupSteps: 0 },
] as const;

describe('what is wrong with stages is said', () => {
  it.each<[string, ConfigInput['stages'], string]>([
    [
      'an image that the patch does not divide',
      [{ imageSize: 60, steps: 1 }],
      'stages.0.imageSize: wanted a multiple of patchSize 8 on both sides, the nearest being 56x56 or 64x64, found "60x60"',
    ],
    [
      'one that is smaller than the patch',
      [{ imageSize: 4, steps: 1 }],
      'the nearest being 8x8, found "4x4"',
    ],
    [
      'a stage that shrinks',
      [{ steps: 5 }, { imageSize: [64, 32], steps: 5 }],
      'stages.1.imageSize: wanted no smaller than the 64x64 of the stage before: a run grows, found "64x32"',
    ],
    [
      'a stage without steps',
      [{}, { steps: 5 }],
      'stages.0.steps: wanted a whole number from 1, found nothing',
    ],
    [
      'a setting that is none',
      [{ imagesize: 32, steps: 1 } as never],
      'stages.0.imagesize: no such setting. Did you mean "imageSize"?',
    ],
    ['stages that are none', 3 as never, 'stages: wanted a list of stages'],
    [
      'a warm-up that is longer',
      [{ steps: 5, warmupSteps: 6 }],
      'stages.0.warmupSteps: wanted at most the 5 steps',
    ],
  ])('%s', (_, stages, message) => {
    expect(() => resolve(stages)).toThrow(message);
  });

  it('lengths that say two things', () => {
    expect(() => resolve([{ steps: 5 }, { steps: 6 }], { train: { steps: 10 } })).toThrow(
      'train.steps: wanted 11, the steps of all stages, or nothing, found 10',
    );
    expect(() => resolve([{ steps: 5 }, {}], { train: { steps: 5 } })).toThrow(
      'train.steps: wanted more than the 5 of the stages before the last, found 5',
    );
    expect(() => resolve([{ steps: 5 }], { train: { epochs: 2 } })).toThrow(
      'train.epochs: a run of stages is as long as these are',
    );
  });

  it('data that come in one size', () => {
    const digits = { data: { source: 'digits' }, model: { ...base.model, patchSize: 7 } } as const;
    expect(() => resolveConfig({ ...digits, stages: [{ imageSize: 56, steps: 1 }] })).toThrow(
      'stages.0.imageSize: wanted 28x28, the size of the data: digits cannot be read at another, found "56x56"',
    );
    const { stages } = resolveConfig({ ...digits, stages: [{ patchSize: 14, steps: 1 }, { steps: 2 }] });
    expect(stages.map(({ patchSize }) => patchSize)).toEqual([14, 7]);
  });

  it('models without patches', () => {
    const cells = {
      data: { source: 'custom' },
      model: { width: 8, depth: 1, heads: 2, genes: 10, groupSize: 5 },
    };
    const model = { ...cells.model, kind: 'expression-dit' } as const;
    expect(() =>
      resolveConfig({ data: { source: 'custom' }, model: { ...model, classes: 0 }, stages: [{ steps: 3 }] }),
    ).toThrow('stages: wanted left out: a model of the kind expression-dit has no patches');
  });
});

describe('stages', () => {
  const config = resolve(grown);

  it('take from the rest of the config what they do not say', () => {
    expect(config.train.steps).toBe(200);
    expect(config.stages).toEqual([
      { imageSize: [32, 32], patchSize: 4, steps: 100, batchSize: 64, learningRate: 1e-3, warmupSteps: 20 },
      { imageSize: [48, 64], patchSize: 8, steps: 40, batchSize: 16, learningRate: 2e-4, warmupSteps: 4 },
      { imageSize: [64, 64], patchSize: 8, steps: 60, batchSize: 16, learningRate: 2e-4, warmupSteps: 0 },
    ]);
    expect(config.growth).toEqual({ kernels: 'pseudo-inverse', moments: 'new' });
  });

  it('the last has the steps that are left', () => {
    const { stages } = resolve([{ steps: 30 }, {}], { train: { steps: 50 } });
    expect(stages.map(({ steps }) => steps)).toEqual([30, 20]);
  });

  it('resolving again changes nothing, also without the data', () => {
    expect(resolveConfig(config as ConfigInput)).toEqual(config);
  });

  it('each is a config of its own', () => {
    const first = configOfStage(config, 0);
    expect(first.model).toEqual({ ...config.model, imageSize: [32, 32], patchSize: 4 });
    expect(first.data).toMatchObject({
      transforms: [
        { kind: 'resize', size: 32 },
        { kind: 'center-crop', size: 32 },
      ],
    });
    expect(first.train).toEqual({ ...config.train, batchSize: 64, steps: 200 });
    expect(first.optimizer.learningRate).toBe(1e-3);
    expect(configOfStage(config, 1).data).toMatchObject({
      transforms: [
        { kind: 'resize', size: 64 },
        { kind: 'center-crop', size: [48, 64] },
      ],
    });
    expect(configOfStage(config, 2)).toEqual({
      ...config,
      optimizer: { ...config.optimizer, warmupSteps: 20 },
    });
    // What is recorded of a stage, resolved again, is the same stage.
    for (const index of [0, 1, 2]) {
      const own = configOfStage(config, index);
      expect(resolveConfig(own as ConfigInput)).toEqual(own);
    }
  });

  it('a config without has none', () => {
    const plain = resolve([], { train: { steps: 7 } });
    expect(plain.stages).toEqual([]);
    expect(configOfStage(plain, 0)).toBe(plain);
    expect(recipes['digits']!.config).not.toHaveProperty('stages');
  });

  it('positions are stretched over the grid of the first stage', () => {
    const model = { ...base.model, positions: 'stretched' } as const;
    const { model: resolved } = resolve([{ imageSize: 32, steps: 1 }, { steps: 1 }], { model });
    expect(resolved).toMatchObject({ positions: 'stretched', positionGrid: [4, 4] });
    expect(resolve([], { model }).model).toMatchObject({ positionGrid: [8, 8] });
  });
});

describe('data at another size', () => {
  const folder = (transforms: object[]): never =>
    ({
      source: 'folder',
      path: 'x',
      condition: 'none',
      channels: 3,
      background: '#ffffff',
      maxPixels: 100,
      transforms,
    }) as never;

  it('have all their transforms in proportion', () => {
    const data = folder([
      { kind: 'resize', size: 72 },
      { kind: 'horizontal-flip', probability: 0.5 },
      { kind: 'random-crop', size: [64, 64] },
    ]);
    expect(dataAt(data, [64, 64], [32, 32])).toMatchObject({
      transforms: [
        { kind: 'resize', size: 36 },
        { kind: 'horizontal-flip', probability: 0.5 },
        { kind: 'random-crop', size: 32 },
      ],
    });
    const squeezed = folder([{ kind: 'resize', size: [64, 32] }]);
    expect(dataAt(squeezed, [64, 32], [32, 48])).toMatchObject({ transforms: [{ size: [32, 48] }] });
  });

  it('are as they are at their own', () => {
    const data = folder([{ kind: 'resize', size: [64, 64] }]);
    expect(dataAt(data, [64, 64], [64, 64])).toBe(data);
  });
});

describe('laid over a recipe', () => {
  const stages = [{ imageSize: 32, steps: 60 }, { steps: 40 }];
  const labelled = { ...facts, classes: 9 };
  const change = {
    stages,
    data: { source: 'emoji', condition: 'class', size: 64 },
    model: { patchSize: 8 },
  } as const satisfies ConfigInput;
  const emoji = (changes: ConfigInput): ReturnType<typeof resolveConfig> =>
    resolveConfig(recipeConfig('emoji-classes', changes), { facts: labelled });

  it('are as long as they say, not as it is', () => {
    const { train, stages: parts } = emoji(change);
    expect(recipes['emoji-classes']!.config.train!.steps).toBe(5000);
    expect(train).toMatchObject({ steps: 100, batchSize: 32 });
    expect(parts.map(({ steps }) => steps)).toEqual([60, 40]);
  });

  it('leave the steps of the recipe to the last, where it says none', () => {
    const { train, stages: parts } = emoji({ ...change, stages: [{ imageSize: 32, steps: 60 }, {}] });
    expect([train.steps, ...parts.map(({ steps }) => steps)]).toEqual([5000, 60, 4940]);
  });

  it('are checked against a length that is given with them', () => {
    expect(() => emoji({ ...change, train: { steps: 90 } })).toThrow(
      'train.steps: wanted 100, the steps of all stages, or nothing, found 90',
    );
  });

  it('are checked so on the command line, in either order', async () => {
    const file = join(await temporaryFolder(), 'grown.yaml');
    await writeFile(file, `recipe: emoji-classes\ndata: { size: 64 }\nmodel: { patchSize: 8 }\n`);
    const set = 'stages=[{imageSize: 32, steps: 60}, {steps: 40}]';
    const { config } = await loadConfig(file, [set]);
    expect(resolveConfig(config, { facts: labelled }).train.steps).toBe(100);
    for (const overrides of [
      [set, 'train.steps=90'],
      ['train.steps=90', set],
    ]) {
      const { config: both } = await loadConfig(file, overrides);
      expect(() => resolveConfig(both, { facts: labelled })).toThrow(
        'wanted 100, the steps of all stages, or nothing, found 90',
      );
    }
  });
});
