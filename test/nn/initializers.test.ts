import { describe, expect, it } from 'vitest';
import { normal, xavierUniform, zeros } from '../../src/nn/initializers.ts';
import { initialValues } from '../../src/nn/parameters.ts';

const key = { seed: 7, stream: 1 };

const deviation = (values: Float32Array): number =>
  Math.sqrt(values.reduce((total, value) => total + value * value, 0) / values.length);

describe('initialisers', () => {
  it.each([
    { shape: [96, 32], bound: Math.sqrt(6 / 128) },
    { shape: [64, 4, 8, 8], bound: Math.sqrt(6 / (64 + 256)) },
  ])('Xavier is uniform over $shape, a kernel over its flattened form', ({ shape, bound }) => {
    const values = xavierUniform(shape, key);
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(bound);
    expect(Math.max(...values)).toBeGreaterThan(0.99 * bound);
    expect(deviation(values) / (bound / Math.sqrt(3))).toBeCloseTo(1, 1);
  });

  it('normal has the deviation asked for', () => {
    const values = normal(0.02)([100, 100], key);
    expect(deviation(values) / 0.02).toBeCloseTo(1, 1);
  });

  it('zeros are as many as the shape holds', () => {
    expect(zeros([3, 5], key)).toEqual(new Float32Array(15));
  });
});

describe('initial values', () => {
  const spec = { name: 'a.weight', shape: [8, 8], init: xavierUniform, trainable: true };

  it('are a function of the seed and the name', () => {
    const values = initialValues(spec, 1);
    expect(initialValues(spec, 1)).toEqual(values);
    expect(initialValues(spec, 2)).not.toEqual(values);
    expect(initialValues({ ...spec, name: 'b.weight' }, 1)).not.toEqual(values);
  });
});
