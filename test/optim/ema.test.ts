import { expect, it } from 'vitest';
import { emaDecay } from '../../src/optim/ema.ts';

it('the decay ramps up to its value', () => {
  const settings = { decay: 0.999, ramp: true };
  expect(emaDecay(1, settings)).toBeCloseTo(2 / 11, 12);
  expect(emaDecay(90, settings)).toBeCloseTo(0.91, 12);
  expect(emaDecay(1_000_000, settings)).toBe(0.999);
});

it('the decay is constant without the ramp', () => {
  expect(emaDecay(1, { decay: 0.99, ramp: false })).toBe(0.99);
});
