import { expect, it } from 'vitest';
import { linear } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { conformance } from '../support/conformance.ts';

/** [rows, inputs, outputs], at sizes around the register tiles and beyond one block. */
const sizes = [
  [1, 1, 1],
  [2, 3, 5],
  [31, 33, 32],
  [33, 31, 65],
  [65, 49, 255],
  [257, 255, 49],
  [70, 1100, 33],
] as const;
/** So many inputs that their products are summed in several parts, over rows and outputs of whole register tiles and a rest. */
const deep = [67, 1601, 70] as const;

const withBias = sizes.flatMap(([rows, I, O]) =>
  [0, 1, 2].map((activation) => ({
    inputs: [{ shape: [rows, I] }, { shape: [O, I] }, { shape: [O] }],
    attributes: { activation },
  })),
);
conformance(
  'linear',
  [
    ...withBias,
    { inputs: [{ shape: [3, 5, 33] }, { shape: [31, 33] }], attributes: { activation: 0 } },
    {
      inputs: [{ shape: [2, 16, 64] }, { shape: [192, 64] }, { shape: [192] }],
      attributes: { activation: 0 },
    },
    {
      inputs: [{ shape: [deep[0], deep[1]] }, { shape: [deep[2], deep[1]] }],
      attributes: { activation: 1 },
    },
  ],
  { differentiable: [0], fp32: 4e-6 },
);

const plain = { activation: 0 };
const activations = [1, 2].map((activation) => ({ activation }));

conformance('linearGradInput', [
  ...sizes.map(([rows, I, O]) => ({ inputs: [{ shape: [rows, O] }, { shape: [O, I] }], attributes: plain })),
  ...sizes.flatMap(([rows, I, O]) =>
    [plain, ...activations].map((attributes) => ({
      inputs: [{ shape: [rows, O] }, { shape: [O, I] }, { shape: [rows, I] }],
      attributes,
    })),
  ),
  {
    inputs: [{ shape: [deep[0], deep[1]] }, { shape: [deep[1], deep[2]] }, { shape: [deep[0], deep[2]] }],
    attributes: { activation: 1 },
  },
]);

conformance('linearGradParams', [
  ...sizes.flatMap(([rows, I, O]) =>
    [plain, ...activations].map((attributes) => ({
      inputs: [{ shape: [rows, I] }, { shape: [rows, O] }],
      attributes,
    })),
  ),
  { inputs: [{ shape: [3, 700, 33] }, { shape: [3, 700, 17] }], attributes: plain },
  // Modulated: images that begin and end anywhere in what one item packs.
  ...[
    [1, 1, 4, 3] as const,
    [5, 7, 33, 31] as const,
    [3, 33, 65, 17] as const,
    [2, 500, 40, 48] as const,
  ].map(([B, N, I, O]) => ({
    inputs: [{ shape: [B, N, I] }, { shape: [B, N, O] }, { shape: [B, I] }, { shape: [B, I] }],
    attributes: plain,
  })),
]);

it('names the argument that does not fit', () => {
  const build = (b: number) => (): unknown =>
    trace('wrong', (graph) => ({
      y: linear(graph.input('x', [8, 16, 384]), graph.input('w', [1152, 384]), graph.input('b', [b])),
    }));
  expect(build(384)).toThrow('linear: b must be [O] = [1152], got [384]');
  expect(() =>
    trace('wrong', (graph) => ({ y: linear(graph.input('x', [8, 64]), graph.input('w', [64, 32])) })),
  ).toThrow('linear: w must be [O, I] = [O, 64], got [64, 32]');
});
