import { expect, it } from 'vitest';
import { concat, elements, reshape, slice, split, transpose } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import type { Graph, Tensor } from '../../src/tensor/tensor.ts';
import { conformance } from '../support/conformance.ts';

conformance('reshape', [
  { inputs: [{ shape: [6, 4] }], attributes: { shape: [3, 8] } },
  { inputs: [{ shape: [1] }], attributes: { shape: [] } },
]);

conformance(
  'transpose',
  [
    { shape: [31, 33], permutation: [1, 0] },
    { shape: [1, 257], permutation: [1, 0] },
    { shape: [2, 5, 3, 32], permutation: [0, 2, 1, 3] },
    { shape: [2, 3, 7, 4, 7, 4], permutation: [0, 2, 4, 1, 3, 5] },
    { shape: [3, 4, 5], permutation: [0, 1, 2] },
  ].map(({ shape, permutation }) => ({ inputs: [{ shape }], attributes: { permutation } })),
);

conformance('slice', [
  { inputs: [{ shape: [5, 33] }], attributes: { axis: 1, start: 1, size: 31 } },
  { inputs: [{ shape: [5, 33, 2] }], attributes: { axis: 0, start: 4, size: 1 } },
  { inputs: [{ shape: [3, 7, 65] }], attributes: { axis: 1, start: 2, size: 5 } },
]);

conformance('elements', [
  { inputs: [{ shape: [5, 33] }], attributes: { start: 16, count: 48 } },
  { inputs: [{ shape: [31] }], attributes: { start: 30, count: 1 } },
  { inputs: [{ shape: [2, 3] }], attributes: { start: 0, count: 6 } },
]);

conformance('split', [
  { inputs: [{ shape: [5, 33] }], attributes: { axis: 1, parts: 3 } },
  { inputs: [{ shape: [6, 33] }], attributes: { axis: 0, parts: 2 } },
  { inputs: [{ shape: [3, 14, 65] }], attributes: { axis: 1, parts: 7 } },
  { inputs: [{ shape: [4, 5] }], attributes: { axis: 0, parts: 1 } },
]);

conformance('pad', [
  { inputs: [{ shape: [5, 33] }], attributes: { axis: 1, before: 1, after: 31 } },
  { inputs: [{ shape: [5, 33, 2] }], attributes: { axis: 0, before: 0, after: 1 } },
]);

conformance('concat', [
  { inputs: [{ shape: [5, 31] }, { shape: [5, 1] }, { shape: [5, 33] }], attributes: { axis: 1 } },
  { inputs: [{ shape: [1, 3, 2] }, { shape: [2, 3, 2] }], attributes: { axis: 0 } },
  { inputs: [{ shape: [7] }], attributes: { axis: 0 } },
  // More than a device binds at once.
  { inputs: [1, 2, 3, 4, 5, 6, 7, 8, 9].map((extent) => ({ shape: [3, extent] })), attributes: { axis: 1 } },
]);

const build =
  (f: (graph: Graph) => Tensor): (() => unknown) =>
  () =>
    trace('wrong', (graph) => ({ y: f(graph) }));

it.each<[string, (graph: Graph) => Tensor]>([
  ['reshape: shape must be of 6 elements', (g) => reshape(g.input('x', [2, 3]), [4])],
  [
    'transpose: permutation must be an order of the 2 axes, got [0,0]',
    (g) => transpose(g.input('x', [2, 3]), [0, 0]),
  ],
  [
    'elements: start and count must be within 6 elements, got 4 and 3',
    (g) => elements(g.input('x', [2, 3]), 4, 3),
  ],
  [
    'slice: start and size must be a part of axis 1 with extent 3',
    (g) => slice(g.input('x', [2, 3]), 1, 2, 2),
  ],
  [
    "split: parts must be a divisor of axis 1's extent 5, got 3",
    (g) => split(g.input('x', [2, 5]), 1, 3)[0]!,
  ],
  ['concat: argument 1 must be', (g) => concat([g.input('a', [2, 3]), g.input('b', [3, 3])], 1)],
])('%s', (message, wrong) => {
  expect(build(wrong)).toThrow(message);
});
