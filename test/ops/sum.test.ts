import { expect, it } from 'vitest';
import { sum } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { conformance } from '../support/conformance.ts';

const cases = [
  { shape: [1], axes: [0], keepDims: 0 },
  { shape: [257], axes: [0], keepDims: 1 },
  { shape: [5, 33], axes: [1], keepDims: 1 },
  { shape: [5, 33], axes: [0], keepDims: 0 },
  { shape: [3, 4, 65], axes: [0, 2], keepDims: 1 },
  { shape: [3, 4, 65], axes: [1], keepDims: 0 },
  { shape: [3, 67, 257], axes: [0, 1, 2], keepDims: 0 },
].map(({ shape, axes, keepDims }) => ({ inputs: [{ shape }], attributes: { axes, keepDims } }));

conformance('sum', cases);
conformance('max', cases);

conformance(
  'broadcastTo',
  [
    { from: [], to: [3, 2] },
    { from: [1, 33], to: [5, 33] },
    { from: [31, 1], to: [31, 32] },
    { from: [1, 3, 1], to: [2, 2, 3, 65] },
  ].map(({ from, to }) => ({ inputs: [{ shape: from }], attributes: { shape: to } })),
);

it('names the axis that is not there', () => {
  const build = (): unknown => trace('wrong', (graph) => ({ y: sum(graph.input('x', [2, 3]), [2]) }));
  expect(build).toThrow('sum: axis must be an integer in [-2, 1], got 2');
});
