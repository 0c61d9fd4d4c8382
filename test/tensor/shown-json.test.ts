import { expect, it } from 'vitest';
import { shownJson } from '../../src/tensor/shown-json.ts';

it('shows any value that a file may hold', () => {
  const self: unknown[] = [];
  self.push(self);
  const deep = JSON.parse('['.repeat(100_000) + ']'.repeat(100_000)) as unknown;
  expect([{ a: 1 }, 'x', null, undefined, 5n, self, deep].map(shownJson)).toEqual([
    '{"a":1}',
    '"x"',
    'null',
    'nothing',
    '5',
    'something that is nested too deep to be shown',
    'something that is nested too deep to be shown',
  ]);
  expect(shownJson('a'.repeat(100))).toBe(`"${'a'.repeat(76)}...`);
});
