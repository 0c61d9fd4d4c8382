import { expect, it } from 'vitest';
import {
  furtherAverages,
  emaWeight,
  longestPower,
  powerLength,
  powerOf,
  powerWeight,
} from '../../src/optim/ema.ts';

it('the decay ramps up to its value', () => {
  const settings = { decay: 0.999, ramp: true };
  expect(1 - emaWeight(1, settings)).toBeCloseTo(2 / 11, 12);
  expect(1 - emaWeight(90, settings)).toBeCloseTo(0.91, 12);
  expect(emaWeight(1_000_000, settings)).toBe(1 - 0.999);
});

it('the decay is constant without the ramp', () => {
  expect(emaWeight(1, { decay: 0.75, ramp: false })).toBe(0.25);
});

it.each([
  [0.05, 16.97],
  [0.1, 6.94],
])('length %d is exponent %d, as in the paper', (length, gamma) => {
  expect(powerOf(length)).toBeCloseTo(gamma, 2);
});

it.each([1e-6, 0.001, 0.02, 0.05, 0.1, 0.2, 0.28, longestPower])(
  'length %d is that of its exponent',
  (length) => {
    const gamma = powerOf(length);
    expect(gamma).toBeGreaterThan(-1e-9);
    expect(Math.sqrt((gamma + 1) / (gamma + 3)) / (gamma + 2) / length).toBeCloseTo(1, 9);
  },
);

it('a power-function average has the mean and the deviation of its profile', () => {
  const steps = 5000;
  const gamma = powerOf(0.1);
  let [mean, square] = [0, 0];
  for (let step = 1; step <= steps; step++) {
    const share = powerWeight(step, gamma);
    mean += share * (step / steps - mean);
    square += share * ((step / steps) ** 2 - square);
  }
  expect(mean).toBeCloseTo((gamma + 1) / (gamma + 2), 3);
  expect(Math.sqrt(square - mean ** 2)).toBeCloseTo(0.1, 3);
});

it.each([1, 2, 10, 1e4, 1e9, 1e15])('weights keep their digits after %d steps', (step) => {
  // The series of 1 - (1 - 1 / t)^3.
  const exact = 3 / step - 3 / step ** 2 + 1 / step ** 3;
  expect(powerWeight(step, 2) / exact).toBeCloseTo(1, 12);
  expect(emaWeight(step, { decay: 1 - 2 ** -53, ramp: true }) * ((10 + step) / 9)).toBeCloseTo(1, 12);
});

it('further averages have names and weights of their own', () => {
  const averages = furtherAverages({ decay: 0.9999, ramp: true, decays: [0.99, 0.5], power: [0.05] });
  expect(averages.map(({ name }) => name)).toEqual(['0.99', '0.5', 'power-0.05']);
  expect(averages.map(({ weightAt }) => weightAt(1))).toEqual([9 / 11, 9 / 11, 1]);
  expect(averages.map(({ weightAt }) => weightAt(90))).toEqual([0.09, 0.5, powerWeight(90, powerOf(0.05))]);
  expect(averages.map(({ name }) => powerLength(name))).toEqual([undefined, undefined, 0.05]);
});
