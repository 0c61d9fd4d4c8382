import { describe, expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { philoxNormal } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { float64Backends } from '../support/backends.ts';
import { philoxNormal as drawNormal } from '../../src/tensor/philox.ts';
import { conformance } from '../support/conformance.ts';

const step = { shape: [], dtype: 'int32' as const, value: () => 41 };
const cases = [[1], [33], [3, 5], [4, 1, 7, 9], [64, 257]].map((shape, stream) => ({
  inputs: [step],
  attributes: { shape, seed: 2 ** 40 + 12345, stream, firstSample: 3 },
}));

const first = { shape: [], dtype: 'int32' as const, value: () => 3 };
const told = cases.map(({ inputs, attributes }) => ({
  inputs: [...inputs, first],
  attributes: { ...attributes, firstSample: 0 },
}));

conformance('philoxUniform', [...cases, ...told]);
conformance('philoxNormal', [...cases, ...told]);

// Both words of a pair take 2^24 values only. All of them were compared once, by their logarithms, cosines and sines.
describe.each(float64Backends())('on $label', ({ create, skip }) => {
  it.skipIf(skip !== undefined)('exact numbers are those that the host draws, to the bit', async () => {
    const [samples, elements, draw] = [7, 100_003, { seed: 2 ** 40 + 5, stream: 3 }];
    const program = trace('exact', (graph) => {
      const at = graph.input('step', [], 'int32');
      return { z: philoxNormal(at, [samples, elements], { ...draw, firstSample: 11, exact: true }) };
    });
    const executable = await create().compile(program, new Map());
    await executable.run({ step: Int32Array.of(2) });
    const drawn = drawNormal({ ...draw, step: 2, firstSample: 11, samples, elements });
    expect((await executable.read(['z'])).z).toEqual(Float32Array.from(drawn));
  });

  // Those of 10^8 numbers where the faster ones are one float beside.
  it.skipIf(skip !== undefined).each([
    [43, 4, 78_544],
    [57, 4, 11_268],
    [63, 4, 72_424],
    [68, 6, 22_764],
  ])('and are so at step %d, sample %d, element %d', async (at, sample, element) => {
    const elements = element + 1;
    const [key, firstSample] = [{ seed: 1_234_567, stream: 3 }, sample];
    const program = trace('exact', (graph) => {
      const drawnAt = graph.input('step', [], 'int32');
      return { z: philoxNormal(drawnAt, [1, elements], { ...key, firstSample, exact: true }) };
    });
    const executable = await create().compile(program, new Map());
    await executable.run({ step: Int32Array.of(at) });
    const drawn = drawNormal({ ...key, step: at, firstSample, samples: 1, elements });
    expect((await executable.read(['z'])).z[element]).toBe(Math.fround(drawn[element]!));
  });
});

it('draws the same whether the first sample is known beforehand or told', async () => {
  const program = trace('draw', (graph) => {
    const at = graph.input('step', [], 'int32');
    const key = { seed: 5, stream: 1 };
    return {
      known: philoxNormal(at, [2, 7], { ...key, firstSample: 40 }),
      told: philoxNormal(at, [2, 7], { ...key, firstSample: graph.input('first', [], 'int32') }),
    };
  });
  const executable = await referenceBackend().compile(program, new Map());
  await executable.run({ step: Int32Array.of(9), first: Int32Array.of(40) });
  expect((await executable.read(['told'])).told).toEqual((await executable.read(['known'])).known);
});

it('refuses a seed that it cannot hold', () => {
  const build = (): unknown =>
    trace('wrong', (graph) => ({
      y: philoxNormal(graph.input('step', [], 'int32'), [2], { seed: 0.5, stream: 0 }),
    }));
  expect(build).toThrow('philoxNormal: seed must be an integer in [0, 2^53), got 0.5');
});
