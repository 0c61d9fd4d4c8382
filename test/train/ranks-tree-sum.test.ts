import { expect, it } from 'vitest';
import { treeSum } from '../../src/train/ranks/tree-sum.ts';

/** Half of the distance from 1 to the next float32: added to 1 it is lost, two of them together are not. */
const half = 2 ** -24;

it.each([
  ['neighbours first', [1, half, half, half], 1 + 2 * half],
  ['as one after the other would not', [half, half, 1, half], 1 + 2 * half],
  ['of three, the last with the sum of the others', [1, half, half], 1],
  ['of one', [0.5], 0.5],
])('float32 numbers are added up over a tree: %s', (_, values, sum) => {
  expect(treeSum(values)).toBe(sum);
});
