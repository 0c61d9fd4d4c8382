import { describe, expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { type Initializer, normal, xavierUniform, zeros } from '../../src/nn/initializers.ts';
import { trace } from '../../src/program/index.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import type { Shape } from '../../src/tensor/shape.ts';
import { initialValues } from '../support/models.ts';

const deviation = (values: HostArray): number => Math.hypot(...values) / Math.sqrt(values.length);

async function drawn(init: Initializer, shape: Shape): Promise<HostArray> {
  const program = trace('draw', (graph) => ({
    values: init(shape, { step: graph.input('step', [], 'int32'), seed: 7, stream: 1 }),
  }));
  const executable = await referenceBackend().compile(program, new Map());
  await executable.run({ step: Int32Array.of(0) });
  return (await executable.read(['values'])).values;
}

describe('initialisers', () => {
  it.each([
    { shape: [96, 32], bound: Math.sqrt(6 / 128) },
    { shape: [64, 4, 8, 8], bound: Math.sqrt(6 / (64 + 256)) },
  ])('Xavier is uniform over $shape, a kernel over its flattened form', async ({ shape, bound }) => {
    const values = await drawn(xavierUniform, shape);
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(bound);
    expect(Math.max(...values)).toBeGreaterThan(0.99 * bound);
    expect(deviation(values) / (bound / Math.sqrt(3))).toBeCloseTo(1, 1);
  });

  it('normal has the deviation asked for', async () => {
    const values = await drawn(normal(0.02), [100, 100]);
    expect(deviation(values) / 0.02).toBeCloseTo(1, 1);
  });

  it('zeros are as many as the shape holds', async () => {
    expect(await drawn(zeros, [3, 5])).toEqual(new Float32Array(15));
  });
});

describe('initial values', () => {
  const spec = { name: 'a.weight', shape: [8, 8], init: xavierUniform };

  it('are a function of the seed and the name', async () => {
    const values = await initialValues(spec, 1);
    expect(await initialValues(spec, 1)).toEqual(values);
    expect(await initialValues(spec, 2)).not.toEqual(values);
    expect(await initialValues({ ...spec, name: 'b.weight' }, 1)).not.toEqual(values);
  });
});
