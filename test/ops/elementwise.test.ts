import { expect, it } from 'vitest';
import { add } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { type Argument, conformance } from '../support/conformance.ts';

/** Same shapes, a scalar, rows, columns, both stretched, and sizes around the width of a vector. */
const pairs: readonly (readonly [readonly number[], readonly number[]])[] = [
  [[1], [1]],
  [[31], [31]],
  [
    [4, 33],
    [4, 33],
  ],
  [[3, 32], []],
  [[5, 33], [33]],
  [
    [5, 33],
    [5, 1],
  ],
  [
    [2, 1, 7],
    [1, 3, 7],
  ],
  [
    [1, 5],
    [6, 1],
  ],
  [
    [3, 67, 257],
    [67, 257],
  ],
];

const cases = (value?: Argument['value']) =>
  pairs.map(([a, b]) => ({ inputs: [{ shape: a }, { shape: b, ...(value && { value }) }] }));

conformance('add', cases());
conformance('sub', cases());
conformance('mul', cases());
conformance(
  'div',
  cases((u) => u + Math.sign(u)),
);
conformance('less', cases());
conformance('minimum', cases());
conformance('maximum', cases());

const sizes = [[1], [31], [32], [4, 33], [3, 67, 257]] as const;
const unary = (value?: Argument['value']) =>
  sizes.map((shape) => ({ inputs: [{ shape, ...(value && { value }) }] }));
const positive = (u: number): number => 1.2 + u;

conformance('neg', unary());
conformance(
  'exp',
  unary((u) => 20 * u),
);
conformance('log', unary(positive));
conformance('sqrt', unary(positive));
conformance('square', unary());
conformance('reciprocal', unary(positive));
conformance(
  'tanh',
  unary((u) => 4 * u),
);
conformance(
  'sigmoid',
  unary((u) => 20 * u),
);
conformance(
  'sin',
  unary((u) => 1000 * u),
);
conformance(
  'cos',
  unary((u) => 1000 * u),
);
conformance(
  'affine',
  sizes.map((shape) => ({ inputs: [{ shape }], attributes: { scale: -1.5, offset: 0.25 } })),
);

it('names the axis that does not broadcast', () => {
  const build = (): unknown =>
    trace('wrong', (graph) => ({ y: add(graph.input('a', [4, 3]), graph.input('b', [2, 3])) }));
  expect(build).toThrow('add: shapes [4, 3] and [2, 3] do not broadcast: axis 0 has extents 4 and 2');
});
