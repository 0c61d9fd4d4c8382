import { expect, it } from 'vitest';
import { gather } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { conformance } from '../support/conformance.ts';

const index = (rows: number) => (_: number, i: number) => (7 * (i % 61) + (i % 3)) % rows;

const sizes = [
  { rows: 1, width: 1, count: [1] },
  { rows: 11, width: 33, count: [31] },
  { rows: 11, width: 64, count: [5, 7] },
  { rows: 257, width: 65, count: [100] },
  // So large a table that few of its rows occur.
  { rows: 5003, width: 31, count: [150] },
];

conformance(
  'gather',
  sizes.map(({ rows, width, count }) => ({
    inputs: [{ shape: [rows, width] }, { shape: count, dtype: 'int32' as const, value: index(rows) }],
  })),
);

conformance(
  'scatterAdd',
  sizes.map(({ rows, width, count }) => ({
    inputs: [{ shape: [...count, width] }, { shape: count, dtype: 'int32' as const, value: index(rows) }],
    attributes: { rows },
  })),
);

it('wants whole numbers as indices', () => {
  const build = (): unknown =>
    trace('wrong', (graph) => ({ y: gather(graph.input('table', [11, 4]), graph.input('labels', [2])) }));
  expect(build).toThrow('gather: index must be int32, got float32');
});
