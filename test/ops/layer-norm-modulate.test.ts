import { expect, it } from 'vitest';
import { layerNormModulate } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { type Argument, conformance } from '../support/conformance.ts';

const shapes = [
  [1, 1, 4],
  [2, 3, 31],
  [3, 5, 32],
  [2, 33, 33],
  [1, 49, 65],
  [4, 2, 257],
] as const;

conformance(
  'layerNormModulate',
  shapes.map(([B, N, D]) => ({
    inputs: [{ shape: [B, N, D], value: (u: number) => 3 * u + 1 }, { shape: [B, D] }, { shape: [B, D] }],
    attributes: { epsilon: 1e-6 },
  })),
  { differentiable: [0] },
);

const gradInputs = ([B, N, D]: readonly [number, number, number]): Argument[] => [
  { shape: [B, N, D] },
  { shape: [B, D] },
  { shape: [B, N], value: (u: number) => 1.7 + 0.1 * u },
  { shape: [B, N, D] },
];
conformance('layerNormModulateGrad', [
  ...shapes.map((shape) => ({ inputs: gradInputs(shape) })),
  ...shapes.map((shape) => ({ inputs: [...gradInputs(shape), { shape }] })),
]);

it('names the argument that does not fit', () => {
  const build = (): unknown =>
    trace('wrong', (graph) => ({
      y: layerNormModulate(
        graph.input('x', [8, 16, 384]),
        graph.input('a', [8, 384]),
        graph.input('b', [8, 768]),
      ),
    }));
  expect(build).toThrow('layerNormModulate: scale must be [B, D] = [8, 384], got [8, 768]');
});
