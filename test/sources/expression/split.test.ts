import { expect, test } from 'vitest';
import { heldOutRows } from '../../../src/sources/expression/split.ts';

test('one cell of each class at least is trained on, and cells without class are neither', () => {
  const held = heldOutRows(Int32Array.of(0, 1, 1, 1, -1), 2, 0.9);
  expect(held[0]).toBe(0);
  expect(held.subarray(1, 4).reduce((sum, one) => sum + one, 0)).toBe(2);
  expect(held[4]).toBe(0);
});
