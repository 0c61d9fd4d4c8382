import { expect, test } from 'vitest';
import { parseYaml } from '../../src/config/parse-yaml.ts';

test('values of aliases count as often as they are used', async () => {
  const list = `a: &a [${'0, '.repeat(20_000)}0]\nb: [${'*a, '.repeat(30)}*a]`;
  expect(await parseYaml(list)).toHaveProperty('b.length', 31);
  const more = list.replace('b:', `c: [${'*a, '.repeat(30)}*a]\nb:`);
  await expect(parseYaml(more)).rejects.toThrow('it holds more than 1000000 values');
});
