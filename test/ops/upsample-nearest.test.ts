import { expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { upsampleNearest } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { conformance } from '../support/conformance.ts';

const shapes = [
  [1, 1, 1, 1],
  [2, 3, 5, 4],
  [1, 2, 3, 33],
  [3, 1, 16, 16],
] as const;
const factors = [1, 2, 3];

conformance(
  'upsampleNearest',
  shapes.flatMap((shape) => factors.map((factor) => ({ inputs: [{ shape }], attributes: { factor } }))),
);
conformance(
  'upsampleNearestGrad',
  shapes.flatMap(([B, C, H, W]) =>
    factors.map((factor) => ({
      inputs: [{ shape: [B, C, H * factor, W * factor] }],
      attributes: { factor },
    })),
  ),
);

it('repeats each pixel to the right and below', async () => {
  const program = trace('up', (graph) => ({ y: upsampleNearest(graph.input('x', [1, 1, 2, 2])) }));
  const executable = await referenceBackend().compile(program, new Map());
  await executable.run({ x: Float32Array.of(1, 2, 3, 4) });
  expect([...(await executable.read(['y'])).y]).toEqual([1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]);
});

it('names the factor that is none', () => {
  const build = (): unknown =>
    trace('wrong', (graph) => ({ y: upsampleNearest(graph.input('x', [1, 1, 2, 2]), 0.5) }));
  expect(build).toThrow('upsampleNearest: factor must be a positive integer, got 0.5');
});
