import { expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { meanLoss } from '../../src/flow/objective.ts';
import { interpolate, rectifiedFlow, velocityTarget } from '../../src/flow/rectified-flow.ts';
import { trace } from '../../src/program/index.ts';

it.each([[[2, 3]], [[2, 1, 3]], [[2, 3, 1, 1]]])(
  'mixes data and noise along a line, t over all axes but the batch of %j',
  async (shape) => {
    const program = trace('flow', (graph) => {
      const [x0, x1, t] = [graph.input('x0', shape), graph.input('x1', shape), graph.input('t', [2])];
      return {
        xt: interpolate(x0, x1, t),
        target: velocityTarget(x0, x1),
        perfect: meanLoss(rectifiedFlow(), () => velocityTarget(x0, x1), { x0, x1, t }).loss,
        loss: meanLoss(rectifiedFlow(), (xt) => xt, { x0, x1, t }).loss,
      };
    });
    const executable = await referenceBackend().compile(program, new Map());
    await executable.run({
      x0: Float32Array.of(1, 2, 3, 4, 5, 6),
      x1: Float32Array.of(5, 6, 7, 0, 1, 2),
      t: Float32Array.of(0, 0.75),
    });
    expect([...(await executable.read(['xt'])).xt]).toEqual([1, 2, 3, 1, 2, 3]);
    expect([...(await executable.read(['target'])).target]).toEqual([4, 4, 4, -4, -4, -4]);
    expect((await executable.read(['perfect'])).perfect[0]).toBe(0);
    expect((await executable.read(['loss'])).loss[0]).toBeCloseTo((9 + 4 + 1 + 25 + 36 + 49) / 6, 5);
  },
);
