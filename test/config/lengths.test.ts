import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ConfigInput } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';

const digits: ConfigInput = { data: { source: 'digits' }, model: { preset: 'DiT-Ti/4' } };

describe('lengths', () => {
  test.each([
    [{ epochs: 2, batchSize: 8 }, {}, 250, 25],
    [{ epochs: 0.5, batchSize: 64 }, {}, 8, 0],
    [{ epochs: 0.001 }, {}, 1, 0],
    [{ epochs: 10, batchSize: 1 }, { warmupEpochs: 0.25 }, 10_000, 250],
    [{ steps: 400, batchSize: 10 }, { warmupEpochs: 1 }, 400, 100],
    [{ epochs: 3, batchSize: 1 }, { warmupSteps: 7 }, 3000, 7],
    [{}, {}, 10_000, 100],
  ])(
    'of a length %j with %j is %d steps, the first %d of them a warm-up',
    (train, optimizer, steps, warmup) => {
      const facts = { name: 'digits', count: 1000, shape: [1, 28, 28], classes: 10 } as const;
      const config = resolveConfig({ ...digits, train, optimizer }, { facts });
      expect([config.train.steps, config.optimizer.warmupSteps]).toEqual([steps, warmup]);
      expect(config.train).not.toHaveProperty('epochs');
      expect(resolveConfig(JSON.parse(JSON.stringify(config)) as ConfigInput)).toEqual(config);
    },
  );

  test.each<[ConfigInput, RegExp]>([
    [{ ...digits, train: { steps: 1, epochs: 1 } }, /train: steps and epochs both say how long to train/],
    [
      { ...digits, optimizer: { warmupSteps: 1, warmupEpochs: 1 } },
      /optimizer: warmupSteps and warmupEpochs both say how long to warm up/,
    ],
    [
      { ...digits, train: { epochs: 2 } },
      /train.epochs: the number of samples is not known here. Give train.steps/,
    ],
  ])('%j are refused', (input, message) => {
    expect(() => resolveConfig(input)).toThrow(message);
  });
});

describe('from recipes, files and --set', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'lengths-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  async function trainOf(train: string, sets: string[] = []): Promise<ConfigInput['train']> {
    const path = join(folder, 'mine.yaml');
    await writeFile(path, `recipe: digits\ntrain: ${train}\n`);
    return (await loadConfig(path, sets)).config.train;
  }

  test('the last word counts: epochs take the place of steps, and steps of epochs', async () => {
    expect(await trainOf('{epochs: 1, batchSize: 3}')).toMatchObject({ epochs: 1, batchSize: 3 });
    expect(await trainOf('{epochs: 1}')).not.toHaveProperty('steps');
    expect(await trainOf('{epochs: 1}', ['train.epochs=2', 'train.steps=5'])).toMatchObject({ steps: 5 });
    expect(await trainOf('{epochs: 1}', ['train.steps=5'])).not.toHaveProperty('epochs');
    const { config } = await loadConfig('digits', ['optimizer.warmupSteps=3', 'optimizer.warmupEpochs=0.1']);
    expect(config.optimizer).toMatchObject({ warmupEpochs: 0.1, decay: 'cosine' });
    expect(config.optimizer).not.toHaveProperty('warmupSteps');
  });

  test('both in one place stay both, to be refused', async () => {
    expect(await trainOf('{epochs: 1, steps: 3}')).toMatchObject({ epochs: 1, steps: 3 });
  });
});
