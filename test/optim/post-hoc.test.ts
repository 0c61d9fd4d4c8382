import { describe, expect, it } from 'vitest';
import { powerOf, powerWeight } from '../../src/optim/ema.ts';
import { type PowerProfile, combineProfiles, profileProduct } from '../../src/optim/post-hoc.ts';

/** Profiles of two averages, stored this often. */
function stored(steps: number, every: number, lengths = [0.05, 0.1]): PowerProfile[] {
  const times = Array.from({ length: Math.floor(steps / every) }, (_, i) => (i + 1) * every);
  return times.flatMap((time) => lengths.map((length) => ({ time, gamma: powerOf(length) })));
}

/** An average as training keeps it: step by step. */
function average(trajectory: Float64Array, { time, gamma }: PowerProfile): number {
  let value = 0;
  for (let step = 1; step <= time; step++)
    value += powerWeight(step, gamma) * (trajectory[step - 1]! - value);
  return value;
}

it('products of profiles are their integrals', () => {
  const value = ({ time, gamma }: PowerProfile, tau: number): number =>
    tau > time ? 0 : ((gamma + 1) * (tau / time) ** gamma) / time;
  for (const [a, b] of [
    [
      { time: 3, gamma: 2 },
      { time: 5, gamma: 6.94 },
    ],
    [
      { time: 5, gamma: 2 },
      { time: 3, gamma: 6.94 },
    ],
    [
      { time: 4, gamma: 0 },
      { time: 4, gamma: 16.97 },
    ],
  ] as const) {
    const points = 60_000;
    let integral = 0;
    for (let i = 0; i < points; i++) {
      const tau = ((i + 0.5) * 6) / points;
      integral += (value(a, tau) * value(b, tau) * 6) / points;
    }
    expect(profileProduct(a, b) / integral).toBeCloseTo(1, 3);
  }
});

describe('a combination of profiles', () => {
  it('is the stored one where that is wanted', () => {
    const profiles = stored(1000, 100);
    const { weights, error } = combineProfiles(profiles, profiles[13]!);
    expect(error).toBeLessThan(1e-3);
    weights.forEach((weight, i) => expect(weight).toBeCloseTo(i === 13 ? 1 : 0, 3));
  });

  it.each([0.03, 0.08, 0.12, 0.2])('is nearer to length %d the more are stored', (length) => {
    const wanted = { time: 8000, gamma: powerOf(length) };
    const errors = [1000, 500, 250, 125].map((every) => combineProfiles(stored(8000, every), wanted).error);
    expect(errors).toEqual(errors.toSorted((a, b) => b - a));
    expect(errors.at(-1)).toBeLessThan(length < 0.05 ? 0.2 : 0.01);
  });

  it('has weights that add up to 1 and stay small, also with hundreds of near neighbours', () => {
    const { weights, error } = combineProfiles(stored(10_000, 25), { time: 10_000, gamma: powerOf(0.15) });
    expect(weights.length).toBe(800);
    expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeCloseTo(1, 9);
    expect(Math.hypot(...weights)).toBeLessThan(20);
    expect(error).toBeLessThan(2e-3);
  });

  it('says by its error that a profile is out of reach', () => {
    expect(combineProfiles(stored(1000, 1000), { time: 1000, gamma: powerOf(0.02) }).error).toBeGreaterThan(
      0.3,
    );
  });
});

describe('averages of a trajectory', () => {
  const steps = 2000;
  // A drift that slows down, a slow oscillation and a constant that is far larger than both.
  const trajectory = Float64Array.from({ length: steps }, (_, i) => {
    const u = (i + 1) / steps;
    return 50 + Math.exp(-4 * u) + 0.3 * Math.sin(40 * u);
  });
  const reconstruct = (every: number, length: number): number => {
    const profiles = stored(steps, every);
    const { weights } = combineProfiles(profiles, { time: steps, gamma: powerOf(length) });
    return profiles.reduce((sum, profile, i) => sum + weights[i]! * average(trajectory, profile), 0);
  };

  it.each([0.06, 0.08, 0.15, 0.2])('of length %d are near those that were kept step by step', (length) => {
    const kept = average(trajectory, { time: steps, gamma: powerOf(length) });
    const errors = [500, 50].map((every) => Math.abs(reconstruct(every, length) - kept));
    expect(errors[1]).toBeLessThan(2e-4);
    expect(errors[1]).toBeLessThan(errors[0]!);
  });

  it('are exact where nothing changes', () => {
    const still = stored(steps, 500);
    const { weights } = combineProfiles(still, { time: steps, gamma: powerOf(0.25) });
    expect(still.reduce((sum, _, i) => sum + weights[i]! * 50, 0)).toBeCloseTo(50, 9);
  });
});
