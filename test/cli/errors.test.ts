import { afterEach, expect, it, vi } from 'vitest';
import { reportError } from '../../src/cli/errors.ts';
import { RectiflowError } from '../../src/tensor/errors.ts';

afterEach(() => vi.restoreAllMocks());

it.each([
  ['of the user', (lines: readonly string[]) => new RectiflowError('file', lines), /^error: line 0\n/],
  ['of ours', (lines: readonly string[]) => new TypeError(lines.join('\n')), /This is a bug in rectiflow/],
])('an error %s is told in as many lines as it has', (_, made, wanted) => {
  let told = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    told += String(text);
    return true;
  });
  const lines = Array.from({ length: 200_000 }, (__, i) => `line ${i}`);
  expect(reportError(made(lines))).toBe(1);
  expect(told).toMatch(wanted);
  expect(told).toContain('line 199999\n');
});
