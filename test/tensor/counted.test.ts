import { expect, test } from 'vitest';
import { counted } from '../../src/tensor/counted.ts';

test('one thing, or several', () => {
  expect(counted(1, 'sample')).toBe('1 sample');
  expect(counted(0, 'class')).toBe('0 classes');
  expect(counted(2, 'copy')).toBe('2 copies');
  expect(counted(3, 'key')).toBe('3 keys');
  expect(counted(1234, '.txt file')).toBe('1,234 .txt files');
});
