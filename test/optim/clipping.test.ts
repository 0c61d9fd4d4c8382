import { expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { clipScale } from '../../src/optim/clipping.ts';
import { trace } from '../../src/program/index.ts';

it.each([
  [0, 1],
  [0.5, 1],
  [1, 1 / (1 + 1e-6)],
  [8, 1 / (8 + 1e-6)],
])('a gradient of norm %d is scaled by %d to a norm of at most 1', async (norm, scale) => {
  const program = trace('clip', (graph) => ({ scale: clipScale(graph.input('norm', []), 1) }));
  const executable = await referenceBackend({ float: 'float64' }).compile(program, new Map());
  await executable.run({ norm: Float64Array.of(norm) });
  expect((await executable.read(['scale'])).scale[0]).toBeCloseTo(scale, 12);
});
