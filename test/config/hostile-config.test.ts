// Configs that are made to take all memory, all time, or the program apart: each is answered with one sentence.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { RectiflowError } from '../../src/tensor/errors.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load-config.ts';
import { parseYaml } from '../../src/config/parse-yaml.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { temporaryFolder } from '../support/cli.ts';

const lol = `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'
  .split('')
  .map((name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(',')}]`)
  .join('\n')}`;

describe('YAML', () => {
  it.each([
    ['an alias within itself', '&a [*a]'],
    ['an alias within itself, in settings', '&a { b: *a }'],
    ['aliases that multiply', lol],
    ['brackets without end', '['.repeat(200_000)],
    ['lists without end', '- '.repeat(100_000)],
    ['settings without end', '{a: '.repeat(50_000) + '}'.repeat(50_000)],
    ['levels beyond any setting', '['.repeat(100) + ']'.repeat(100)],
    ['an alias of nothing', 'a: *b'],
  ])('with %s is refused', async (_, text) => {
    await expect(parseYaml(text)).rejects.toThrow(/nested|[Aa]lias|Flow|\S/);
    await expect(loadConfig('digits', [`train.steps=${text}`])).rejects.toThrow(RectiflowError);
    const file = join(await temporaryFolder(), 'config.yaml');
    await writeFile(file, text);
    await expect(loadConfig(file)).rejects.toThrow(
      /config\.yaml: (is no YAML or JSON: .* Correct the file\.|holds no)/,
    );
  });

  it('may use a part twice', async () => {
    expect(await parseYaml('a: &a [1, 2]\nb: *a')).toEqual({ a: [1, 2], b: [1, 2] });
  });

  it('is refused beyond the size of any config', async () => {
    const file = join(await temporaryFolder(), 'config.yaml');
    await writeFile(file, Buffer.alloc(5 << 20, '#'));
    await expect(loadConfig(file)).rejects.toThrow(
      'config.yaml: has 5242880 bytes, more than the 4194304 that',
    );
  });
});

describe('names that objects have already', () => {
  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf'])(
    '%s is no setting',
    async (name) => {
      for (const path of [
        name,
        `train.${name}`,
        `${name}.polluted`,
        `model.${name}.x`,
        `sample.labels.${name}`,
      ]) {
        const loaded = loadConfig('digits', [`${path}=1`]).then(({ config }) => resolveConfig(config));
        await expect(loaded).rejects.toThrow(RectiflowError);
      }
      expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    },
  );
});

describe('numbers beyond all that a machine can do are refused before anything is made', () => {
  it.each<[ConfigInput, RegExp]>([
    [{ model: { depth: 10_000_000 } }, /depth must be at most 256, got 10000000/],
    [{ model: { width: 1_000_000 } }, /width must be at most 65536, got 1000000/],
    [{ model: { heads: 1e9 } }, /heads must be/],
    [{ model: { patchSize: 1e9 } }, /patchSize must be at most/],
    [{ model: { classes: 1e9 } }, /classes must be at most/],
    [{ model: { imageSize: 1e9 } }, /sides of at most 16777216 pixels in all, found 1000000000/],
    [{ train: { batchSize: 1e9 } }, /train\.batchSize: wanted a whole number from 1 to 1048576, found/],
    [{ loader: { workers: 1e9 } }, /loader\.workers: wanted a whole number from 1 to 1024/],
    [{ loader: { prefetch: 1e9 } }, /loader\.prefetch: wanted a whole number from 1 to 1024/],
    [{ sample: { perClass: 1e6 } }, /sample\.perClass: wanted a whole number from 1 to 1024/],
    [
      { sample: { labels: Array<number>(2000).fill(1) } },
      /sample\.labels: wanted a list of labels.*; 1024 at most/,
    ],
    [
      { ema: { decays: Array.from({ length: 1e5 }, (_, i) => i / 1e5) } },
      /ema\.decays: wanted .*; 64 at most/,
    ],
    [
      { flow: { objective: { kind: 'ddpm', timesteps: 1e9 } } },
      /timesteps: wanted a whole number from 2 to 1000000/,
    ],
    [{ train: { steps: 1e12 } }, /train\.steps: wanted at most 1000000000 steps, found 1000000000000/],
    [{ train: { steps: NaN } }, /train\.steps: wanted a whole number from 1, found NaN/],
    [
      { optimizer: { learningRate: Infinity } },
      /optimizer\.learningRate: wanted a number above 0, found Infinity/,
    ],
  ])('%j', (change, message) => {
    const base = {
      data: { source: 'digits' as const },
      model: { width: 64, depth: 2, heads: 2, patchSize: 4 },
    };
    const config = { ...base, ...change, model: { ...base.model, ...change.model } } as ConfigInput;
    expect(() => resolveConfig(config)).toThrow(message);
  });
});
