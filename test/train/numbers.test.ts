import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load-config.ts';
import { parseYaml } from '../../src/config/parse-yaml.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { temporaryFolder } from '../support/cli.ts';

it.each([
  ['1e3', 1000],
  [' 5 ', 5],
  ['+5', 5],
  ['012', 12],
  ['.5', 0.5],
  ['-1.5e-3', -0.0015],
])('%s is a number', async (text, value) => {
  expect(await parseYaml(text)).toBe(value);
});

it.each(['0x10', '0o17', '0b1', '1_000', 'Infinity', 'NaN', '1,5'])('%s is none', async (text) => {
  expect(await parseYaml(text)).toBe(text);
});

it.each(['0x10', '.inf', '.nan', '1e400', '1e16'])(
  'a setting that wants a number says that it found %s, in a file as behind --set',
  async (text) => {
    const wrong = /train\.steps: wanted a whole number from 1, found/;
    await expect(loadConfig('digits', [`train.steps=${text}`])).rejects.toThrow(wrong);
    const file = join(await temporaryFolder(), 'mine.yaml');
    await writeFile(file, `recipe: digits\ntrain: { steps: ${text} }\n`);
    await expect(loadConfig(file)).rejects.toThrow(wrong);
  },
);

it('a config that was resolved before is read as it is', async () => {
  const { config } = await loadConfig('digits', ['train.steps=1e3', 'name=0x10']);
  const resolved = resolveConfig(config);
  expect([resolved.train.steps, resolved.name]).toEqual([1000, '0x10']);
});
