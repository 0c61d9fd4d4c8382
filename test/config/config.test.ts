import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { SourceFacts } from '../../src/data/source.ts';
import type { ConfigInput, RunConfig } from '../../src/config/config.ts';
import { loadConfig, recipeConfig } from '../../src/config/load-config.ts';
import { digits as digitsRecipe } from '../../src/recipes/digits.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'config-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function file(text: string | Uint8Array, name = 'mine.yaml'): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, text);
  return path;
}

const digits: ConfigInput = { data: { source: 'digits' }, model: { preset: 'DiT-Ti/4' } };

describe('settings that are wrong are named, with what was wanted and what was found', () => {
  test.each<[unknown, RegExp]>([
    [{ ...digits, sede: 1 }, /^config: sede: no such setting. Did you mean "seed"\?$/],
    [{ ...digits, train: { stpes: 1 } }, /train.stpes: no such setting. Did you mean "steps"\?/],
    [{ ...digits, train: { zzz: 1 } }, /train.zzz: no such setting. There are steps, epochs, batchSize, /],
    [
      { ...digits, data: { source: 'digits', path: 1 } },
      /data.path: no such setting. Did you mean "pad"\?|There are/,
    ],
    [{ ...digits, train: { steps: 'many' } }, /train.steps: wanted a whole number from 1, found "many"/],
    [{ ...digits, train: { steps: 1.5 } }, /train.steps: wanted a whole number from 1, found 1.5/],
    [{ ...digits, train: { steps: NaN } }, /train.steps: wanted a whole number from 1, found NaN/],
    [{ ...digits, train: 3 }, /train: wanted settings \(steps, .*\), found 3/],
    [
      { ...digits, train: { precision: 'bf32' } },
      /train.precision: wanted one of auto, fp32, bf16, fp16, found "bf32"$/,
    ],
    [{ ...digits, train: { epochs: 0 } }, /train.epochs: wanted a number above 0, found 0/],
    [
      { ...digits, optimizer: { warmupEpochs: -1 } },
      /optimizer.warmupEpochs: wanted a number from 0, found -1/,
    ],
    [{ ...digits, optimizer: { decay: 'line' } }, /decay: wanted one of cosine, linear, constant/],
    [{ ...digits, optimizer: { decayed: 'biases' } }, /decayed: wanted one of all, matrices/],
    [{ ...digits, seed: -1 }, /seed: wanted a whole number from 0, found -1/],
    [{ ...digits, seed: 2 ** 53 }, /seed: wanted a whole number from 0/],
    [
      { ...digits, name: '../up' },
      /name: wanted letters, digits, dots, dashes, as in digits-2, found "..\/up"/,
    ],
    [
      { ...digits, optimizer: { learningRate: 0 } },
      /optimizer.learningRate: wanted a number above 0, found 0/,
    ],
    [
      { ...digits, optimizer: { betas: [0.9] } },
      /optimizer.betas: wanted two numbers from 0, below 1.* found \[0.9\]/,
    ],
    [
      { ...digits, optimizer: { betas: [0.9, 1] } },
      /optimizer.betas.1: wanted a number from 0, below 1, found 1/,
    ],
    [{ ...digits, ema: { decay: 1 } }, /ema.decay: wanted a number from 0, below 1, found 1/],
    [{ ...digits, flow: { labelDropout: 2 } }, /flow.labelDropout: wanted a number from 0 to 1, found 2/],
    [
      { ...digits, flow: { timeSampling: { kind: 'logitnormal' } } },
      /timeSampling.kind: wanted .*\. Did you mean "logit-normal"\?/,
    ],
    [
      { ...digits, flow: { timeSampling: { kind: 'uniform', mean: 1 } } },
      /timeSampling.mean: no such setting/,
    ],
    [
      { ...digits, flow: { timeSampling: { kind: 'mode', scale: 2 } } },
      /timeSampling.scale: wanted a number from -1 to 1.752, found 2/,
    ],
    [
      { ...digits, flow: { timeSampling: { kind: 'cosmap', shift: 0 } } },
      /timeSampling.shift: wanted a number above 0, found 0/,
    ],
    [
      { ...digits, flow: { lossWeighting: { kind: 'minsnr' } } },
      /lossWeighting.kind: wanted one of none, min-snr, sigmoid, found "minsnr"\. Did you mean "min-snr"\?/,
    ],
    [
      { ...digits, flow: { lossWeighting: { kind: 'min-snr', bias: 1 } } },
      /lossWeighting.bias: no such setting/,
    ],
    [
      { ...digits, backend: { subgroupMatrices: 'yes' as never } },
      /backend.subgroupMatrices: wanted true or false, found "yes"/,
    ],
    [
      { ...digits, backend: { threads: 0 } },
      /backend.threads: wanted a whole number from 1, or auto, found 0/,
    ],
    [{ ...digits, sample: { sampler: 'eular' } }, /sample.sampler: .*Did you mean "euler"/],
    [{ ...digits, sample: { timeShift: 0 } }, /sample.timeShift: wanted a number above 0, found 0/],
    [{ ...digits, sample: { rtol: -1 } }, /sample.rtol: wanted a number above 0, found -1/],
    [{ ...digits, sample: { diffusion: -1 } }, /sample.diffusion: wanted a number from 0, found -1/],
    [
      { ...digits, sample: { guidanceInterval: [0.8, 0.2] } },
      /sample.guidanceInterval: wanted two times, 0 <= low <= high <= 1, as in .*, found \[0.8,0.2\]/,
    ],
    [{ ...digits, sample: { guidanceInterval: 1 } }, /guidanceInterval: wanted two times, .*found 1/],
    [
      { ...digits, sample: { guidanceInterval: [0, 2] } },
      /guidanceInterval.1: wanted a number from 0 to 1, found 2/,
    ],
    [
      { ...digits, sample: { labels: '0,1' } },
      /sample.labels: wanted a list of labels, as in \[0, 1, 2\], or of names, found "0,1"/,
    ],
    [
      { ...digits, data: { source: 'digit' } },
      /data.source: wanted one of digits, .*, custom, found "digit". Did you mean "digits"/,
    ],
    [{ model: digits.model }, /data: wanted settings \(source\), found nothing/],
    [{ ...digits, data: {} }, /data.source: wanted one of digits, .*, custom, found nothing/],
    [JSON.parse('{"data": {"source": "digits"}, "__proto__": {"a": 1}}'), /__proto__: no such setting/],
    [null, /settings: wanted settings \(name, seed, .*\), found null/],
    [[], /settings: wanted settings .* found \[\]/],
  ])('%j', (input, message) => {
    expect(() => resolveConfig(input as ConfigInput)).toThrow(message);
  });

  test('all of them in one error', () => {
    const input = { ...digits, sede: 1, train: { steps: 0, lr: 2 } } as ConfigInput;
    expect(() => resolveConfig(input, { origin: 'a.yaml' })).toThrow(
      /^a.yaml:\n {2}.*train.steps.*\n {2}train.lr.*\n {2}sede.*$/,
    );
  });
});

describe('settings that do not go together', () => {
  const sized = { width: 64, depth: 2, heads: 4, patchSize: 4 };
  test.each<[ConfigInput, RegExp]>([
    [{ ...digits, model: { preset: 'DiT-S/8', depth: 3 } }, /model: preset DiT-S\/8 already says depth/],
    [{ ...digits, model: { preset: 'DiT-Q/8' } }, /"DiT-Q\/8" is no preset/],
    [
      { ...digits, model: { width: 64, heads: 4, patchSize: 4 } },
      /model.depth: wanted a whole number from 1, or model.preset, found nothing/,
    ],
    [
      { ...digits, model: { ...sized, patchSize: 8 } },
      /multiple of the patch size 8 on both sides, got 28 x 28/,
    ],
    [{ ...digits, model: { ...sized, heads: 3 } }, /heads must be a divisor of the width 64, got 3/],
    [
      { ...digits, model: { ...sized, imageSize: 32 } },
      /digits: images are \[C, H, W\] = \[1, 28, 28\], .*\[1, 32, 32\]/,
    ],
    [{ ...digits, model: { ...sized, classes: 5 } }, /digits: there are 10 classes, the model has 5/],
    [
      { data: { source: 'custom' }, model: { ...sized, channels: 3 } },
      /model.imageSize: wanted .*\n.*model.classes: wanted/,
    ],
    [
      { ...digits, train: { steps: 20 }, optimizer: { warmupSteps: 21 } },
      /warmupSteps must be .* 20, got 21/,
    ],
    [{ ...digits, sample: { labels: [0, 10] } }, /sample.labels.1: wanted a label below 10, found 10/],
    [{ ...digits, sample: { labels: ['ten'] } }, /sample: labels must be classes of the model, .*, got ten/],
    [{ ...digits, sample: { labels: ['#3', '٣'] } }, /labels must be classes of the model, .*, got ٣/],
    [
      { ...digits, model: { ...sized, classes: 0 }, sample: { labels: [0] } },
      /the model has no classes, found 0/,
    ],
    [
      { ...digits, flow: { labelDropout: 0 }, sample: { guidance: 2 } },
      /sample.guidance: wanted 1 \(none\).*found 2/,
    ],
  ])('%j', (input, message) => {
    expect(() => resolveConfig(input)).toThrow(message);
  });
});

describe('what is left out', () => {
  test('follows from the data and the preset', () => {
    expect(resolveConfig({ ...digits, data: { source: 'digits', pad: 2 } })).toMatchObject({
      name: 'run',
      model: { width: 192, depth: 12, heads: 3, patchSize: 4, channels: 1, imageSize: [32, 32], classes: 10 },
      flow: {
        timeSampling: { kind: 'uniform', stratified: false, shift: 1 },
        lossWeighting: { kind: 'none' },
        labelDropout: 0.1,
      },
      optimizer: { warmupSteps: 100 },
      sample: { guidance: 2, labels: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] },
    });
  });

  test('rows of grids are classes by number, or by name in quotes', () => {
    const labels = [1, '2', '4-6', '#9'];
    expect(resolveConfig({ ...digits, sample: { labels } }).sample.labels).toEqual([1, 2, 4, 5, 6, 9]);
    const facts: SourceFacts = { name: 'a', count: 1, shape: [1, 8, 8], classes: 2, classNames: ['2', '4'] };
    const ask = (label: string): ConfigInput => ({
      data: { source: 'custom' },
      model: { preset: 'DiT-Ti/4' },
      sample: { labels: [label] },
    });
    expect(resolveConfig(ask('4'), { facts }).sample.labels).toEqual([1]);
    expect(() => resolveConfig(ask('04'), { facts })).toThrow(
      /sample\.labels that are no class's name: "04" \(taken for "4"\)\. Write names as they are/,
    );
  });

  test('a model without classes has neither label dropout nor guidance', () => {
    const config = resolveConfig(recipeConfig('digits', { model: { classes: 0 } }));
    expect(config).toMatchObject({ flow: { labelDropout: 0 }, sample: { guidance: 1, labels: [] } });
  });

  test('a short run has a short warm-up', () => {
    const config = resolveConfig(recipeConfig('digits', { train: { steps: 20 } }));
    expect(config.optimizer.warmupSteps).toBe(2);
  });

  test('undefined counts as left out', () => {
    const input = { ...digits, model: { preset: 'DiT-Ti/4', width: undefined } } as unknown as ConfigInput;
    expect(resolveConfig(input).model).toMatchObject({ width: 192 });
  });

  test.each(['digits'])('resolving a resolved config, also through JSON, changes nothing: %s', (name) => {
    const config = resolveConfig(recipeConfig(name));
    expect(resolveConfig(JSON.parse(JSON.stringify(config)) as ConfigInput)).toEqual(config);
  });
});

describe('recipes, files and --set', () => {
  const load = async (target: string, sets: string[] = []): Promise<RunConfig> =>
    resolveConfig((await loadConfig(target, sets)).config);

  test('a recipe by name, with overrides in YAML', async () => {
    const sets = ['train.steps=7', 'optimizer.betas=[0.5, 0.6]', 'optimizer.learningRate=1e-3', 'name = two'];
    expect(await load('digits', sets)).toMatchObject({
      name: 'two',
      train: { ...digitsRecipe.train, steps: 7 },
      optimizer: { ...digitsRecipe.optimizer, betas: [0.5, 0.6], learningRate: 1e-3 },
    });
  });

  test('a file goes over its recipe, --set over the file; the file gives the name', async () => {
    const path = await file(
      'recipe: digits\ntrain: {steps: 9, batchSize: 3} # short\nseed: 5\n',
      'short.yml',
    );
    expect(await load(path, ['train.batchSize=2'])).toMatchObject({
      name: 'short',
      seed: 5,
      train: { steps: 9, batchSize: 2 },
      model: { width: 128 },
    });
  });

  test('JSON', async () => {
    const path = await file(JSON.stringify(digits), 'mine.json');
    expect(await load(path)).toMatchObject({ name: 'mine', model: { width: 192 } });
  });

  test('a file of any name, of which a folder can be made', async () => {
    const names = ['my config (1).json', '.hidden.json', '\u001b[2J.json', 'बिल्ली.json', '(!).json'];
    const paths = await Promise.all(names.map((name) => file(JSON.stringify(digits), name)));
    const runs = await Promise.all(paths.map(async (path) => (await load(path)).name));
    expect(runs).toEqual(['my config -1-', 'hidden', '2J', 'बिल्ली', 'run']);
  });

  test('a preset takes the place of the sizes, another form of what it replaces', async () => {
    const sets = ['model.preset=DiT-S/4', 'flow.timeSampling.kind=logit-normal', 'flow.timeSampling.std=2'];
    expect(await load('digits', sets)).toMatchObject({
      model: { width: 384, depth: 12, heads: 6, patchSize: 4 },
      flow: { timeSampling: { kind: 'logit-normal', mean: 0, std: 2 } },
    });
    const custom = ['data.source=custom', 'model.channels=3', 'model.imageSize=[8, 16]', 'model.classes=0'];
    const config = await load('digits', ['data.pad=2', ...custom]);
    expect(config.data).toEqual({ source: 'custom' });
    expect(config.model).toMatchObject({ imageSize: [8, 16], classes: 0 });
  });

  test.each([
    [
      'digit',
      [],
      /there is no recipe "digit". Did you mean "digits"\? Give one of digits, .* or the path of/,
    ],
    ['digits', ['train.steps'], /--set train.steps: wanted a.b=value/],
    ['digits', ['=3'], /--set =3: wanted/],
    ['digits', ['a..b=3'], /--set a..b=3: wanted/],
    ['digits', ['train.steps=[1'], /--set train.steps=\[1: wanted/],
    ['digits', ['train=3'], /recipe digits: train: wanted settings/],
    ['digits', ['train.step=3'], /recipe digits: train.step: no such setting. Did you mean "steps"/],
    ['digits', ['__proto__.polluted=1'], /__proto__: no such setting/],
    ['./nowhere.yaml', [], /nowhere.yaml: no such file/],
  ])('%s %j is refused', async (target, sets, message) => {
    await expect(loadConfig(target, sets)).rejects.toThrow(message);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  test('may begin with a byte order mark; another encoding than UTF-8 is refused', async () => {
    expect(await load(await file('\uFEFFrecipe: digits\r\n'))).toMatchObject({ name: 'mine' });
    const utf16 = await file(Buffer.from('recipe: digits\n', 'utf16le'));
    await expect(loadConfig(utf16)).rejects.toThrow('mine.yaml: is text in UTF-16, not in UTF-8.');
  });

  test.each([
    ['', /mine.yaml: holds no settings/],
    ['- a\n- b\n', /holds no settings/],
    ['a: 1\na: 2\n', /is no YAML or JSON: Map keys must be unique at line 2/],
    ['a: [1\n', /is no YAML or JSON: .* at line 2/],
    ['recipe: digts\n', /mine.yaml: recipe: there is no recipe "digts". Did you mean "digits"/],
    ['recipe: digits\nmodle: {}\n', /mine.yaml: modle: no such setting. Did you mean "model"/],
  ])('a file that holds %j', async (text, message) => {
    await expect(loadConfig(await file(text))).rejects.toThrow(message);
  });
});
