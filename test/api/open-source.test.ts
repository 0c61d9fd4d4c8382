import { expect, test } from 'vitest';
import { openSource } from '../../src/api/open-source.ts';

test('digits are opened as the config says', async () => {
  const source = await openSource({ source: 'digits', split: 'test', pad: 2 });
  expect(source).toMatchObject({ count: 10_000, shape: [1, 32, 32] });
});

test('custom data cannot be opened by a command', async () => {
  await expect(openSource({ source: 'custom' })).rejects.toThrow(/custom data is handed over by the program/);
});
