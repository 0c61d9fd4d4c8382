// What is described of a kind of model is all that configs, docs and readers of other files know of its settings.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { ConfigInput } from '../../src/config/config.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { findFacts } from '../../src/api/import/facts.ts';
import { DiT } from '../../src/models/dit.ts';
import { ExpressionDiT } from '../../src/models/expression-dit.ts';
import { type KindName, kindNames, kindOf } from '../../src/models/kinds/index.ts';
import { type AnySettings, type Setting, defaultsOf, readSettings } from '../../src/models/kinds/setting.ts';
import { TextDiT } from '../../src/models/text-dit.ts';
import { createModel } from '../../src/train/create-model.ts';
import { tinyDiT } from '../support/models.ts';

const docs = await readFile(fileURLToPath(new URL('../../docs/models.md', import.meta.url)), 'utf8');

const settingsOf = (kind: KindName): AnySettings => kindOf(kind).settings;

const sizes = { width: 16, depth: 1, heads: 2 };
const given: Readonly<Record<KindName, ConfigInput['model'] & {}>> = {
  dit: { ...sizes, patchSize: 4, channels: 1, imageSize: 8, classes: 3 },
  'text-dit': { ...sizes, patchSize: 4, channels: 1, imageSize: [8, 4] },
  'expression-dit': { ...sizes, genes: 10, groupSize: 5, classes: 0 },
  autoencoder: { channels: 1, imageSize: 8 },
  custom: { classes: 2 },
};

const resolved = (kind: KindName, model: object = {}): Record<string, unknown> => {
  const input = { data: { source: 'custom' }, model: { kind, ...given[kind], ...model } } as ConfigInput;
  return resolveConfig(input).model as unknown as Record<string, unknown>;
};

/** One that is right, and one that is not. */
const examples: Readonly<
  Record<Exclude<Setting['type'], 'settings' | 'choice'>, readonly [unknown, unknown]>
> = {
  whole: [1024, 0.5],
  'above 0': [2.5, 0],
  'from 0': [0, -1],
  wholes: [[8], [8, 0.5]],
  flag: [true, 'yes'],
  size: [[8, 8], [8]],
  text: ['a', ''],
};

function exampleOf(
  setting: Exclude<Setting, { type: 'settings' }>,
): readonly [right: unknown, wrong: unknown] {
  return setting.type === 'choice' ? [setting.names.at(-1), 'sideways'] : examples[setting.type];
}

function shown(setting: Setting): string {
  if (setting.type === 'settings') return 'see below';
  const { default: value, fromData } = setting;
  if (Array.isArray(value)) return `[${value.join(', ')}]`;
  return value === undefined ? (fromData ? 'that of the data' : '') : String(value);
}

function table(settings: AnySettings): string {
  const rows = Object.entries(settings).map(
    ([name, setting]) => `| \`${name}\` | ${shown(setting)} | ${setting.says} |`,
  );
  return ['| setting | default | |', '|---|---|---|', ...rows].join('\n');
}

describe.each(kindNames)('models of the kind %s', (kind) => {
  it('have all their settings in what is recorded, in one order, and nothing else', () => {
    expect(Object.keys(resolved(kind))).toEqual(['kind', ...Object.keys(settingsOf(kind))]);
    // As files record it, what may be left out is absent.
    const recorded = Object.entries(settingsOf(kind)).filter(([, { optional }]) => !optional);
    expect(Object.keys(JSON.parse(JSON.stringify(resolved(kind))))).toEqual([
      'kind',
      ...recorded.map(([name]) => name),
    ]);
    expect(resolveConfig({ data: { source: 'custom' }, model: resolved(kind) }).model).toEqual(
      resolved(kind),
    );
  });

  it('have the defaults that are described, and are asked for what has none', () => {
    const simple = Object.entries(settingsOf(kind)).filter(
      ([, { type, optional }]) => type !== 'settings' && !optional,
    );
    const withDefault = Object.entries(defaultsOf(Object.fromEntries(simple)));
    expect(resolved(kind)).toMatchObject(Object.fromEntries(withDefault));
    const needed = simple
      .map(([name]) => name)
      .filter((name) => !withDefault.some(([known]) => known === name));
    expect(needed).not.toEqual([]);
    for (const name of needed)
      expect(() => resolved(kind, { [name]: undefined })).toThrow(`model.${name}: wanted a`);
  });

  it('have settings of the described form alone', () => {
    for (const [name, setting] of Object.entries(settingsOf(kind))) {
      if (setting.type === 'settings') continue;
      const [, wrong] = exampleOf(setting);
      expect(() => resolved(kind, { [name]: wrong })).toThrow(new RegExp(`model\\.${name}[^]*wanted `));
    }
    expect(() => resolved(kind, { groups: 1 })).toThrow('model.groups: no such setting');
  });

  it('are documented as they are described', () => {
    expect(docs).toContain(`\`${kind}\``);
    expect(docs).toContain(table(settingsOf(kind)));
    for (const setting of Object.values(settingsOf(kind)))
      if (setting.type === 'settings') expect(docs).toContain(table(setting.settings));
  });
});

it('each is made by its own code', () => {
  const made = (kind: KindName): unknown => createModel(resolved(kind) as never);
  expect(made('dit')).toBeInstanceOf(DiT);
  expect(made('text-dit')).toBeInstanceOf(TextDiT);
  expect(made('expression-dit')).toBeInstanceOf(ExpressionDiT);
});

it('a model of a program has no fixed tables among its parameters, which would be trained', () => {
  const model = tinyDiT({ classes: 2 });
  const [first, ...rest] = model.parameters;
  const old = { ...model, parameters: [{ ...first!, trainable: false }, ...rest] } as never;
  expect(() => createModel({ kind: 'custom', classes: 2 }, undefined, { model: old })).toThrow(
    'model.parameters: wanted only what is trained; make a fixed table with ops.constant in velocity, found ' +
      '"x_embedder.proj.weight with trainable: false"',
  );
  expect(createModel({ kind: 'custom', classes: 2 }, undefined, { model })).toBe(model);
});

it.each([
  [{ shape: [1, 8, 8] }, 'dit'],
  [{ shape: [1, 8, 8], classes: 3 }, 'dit'],
  [{ shape: [1, 8, 8], captions: true }, 'text-dit'],
  [{ shape: [100] }, 'expression-dit'],
] as const)('data of %j are for a %s', (facts, kind) => {
  const config = {
    data: { source: 'custom' },
    model: { ...sizes, patchSize: 4, groupSize: undefined },
  } as const;
  const model = { ...sizes, ...(kind === 'expression-dit' ? { groupSize: 5 } : { patchSize: 4 }) };
  const told = { name: 'x', count: 4, ...facts, shape: [...facts.shape] };
  expect(resolveConfig({ ...config, model }, { facts: told }).model).toMatchObject({ kind, ...model });
});

describe('settings that someone else wrote down', () => {
  const settings = settingsOf('dit');
  const names = Object.keys(settings);

  it('are read where they have the described form', () => {
    for (const name of names) {
      const setting = settings[name] as Exclude<Setting, { type: 'settings' }>;
      const [right, wrong] = exampleOf(setting);
      expect(readSettings(settings, { [name]: right, other: 1 })).toEqual({ [name]: right });
      expect(readSettings(settings, { [name]: wrong })).toEqual({});
    }
    const text = settingsOf('text-dit')['text'] as never;
    expect(readSettings({ text }, { text: { length: 5 } })).toEqual({ text: { length: 5 } });
    expect(readSettings({ text }, { text: { length: 0 } })).toEqual({});
    expect(readSettings({ text }, { text: { constructor: 1 } })).toEqual({});
  });

  it('of a file of our own are all found again', () => {
    const model = resolved('dit', { reverseTime: true, timeScale: 7 });
    const { settings: found } = findFacts({ model: JSON.stringify(model) }, { width: 16, depth: 1 } as never);
    expect({ kind: 'dit', ...found }).toEqual(model);
  });
});
