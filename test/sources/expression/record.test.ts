import { expect, test } from 'vitest';
import { classComposition } from '../../../src/sources/expression/record.ts';

const record = {
  kind: 'expression',
  genes: ['g'],
  normalize: 'none',
  target: 1,
  center: [0],
  deviation: [1],
};

test.each([
  [
    [3, 4],
    [3, 4],
  ],
  [
    [100_000, 1, 0],
    [2000, 1, 0],
  ],
])('of classes with %j cells, %j are made', (cells, made) => {
  expect(classComposition({ ...record, cells })).toEqual(made);
});
