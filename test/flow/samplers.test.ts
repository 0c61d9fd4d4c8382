import { describe, expect, it } from 'vitest';
import { type SamplerName, type Velocity, samplerByName, samplers } from '../../src/flow/samplers.ts';

const names = Object.keys(samplers) as SamplerName[];

/**
 * The velocity of the flow from N(mean, deviation^2) at t = 0 to N(0, 1) at t = 1, which carries noise z to
 * mean + deviation * z: x_t is normal with mean (1 - t) mean and variance s^2 = (1 - t)^2 deviation^2 + t^2.
 */
function gaussianFlow(mean: number, deviation: number): Velocity {
  return async (x, t) => {
    const s2 = ((1 - t) * deviation) ** 2 + t ** 2;
    const growth = (t - (1 - t) * deviation ** 2) / s2;
    return x.map((value) => -mean + growth * (value - (1 - t) * mean));
  };
}

describe.each(names)('%s', (name) => {
  const { integrate, evaluationsPerStep } = samplers[name];

  it('is exact where the velocity is constant', async () => {
    const x1 = Float32Array.of(1, -2, 0.5);
    const x0 = await integrate(async () => Float32Array.of(0.25, 1, -3), x1, 8);
    expect(x0).toEqual(Float32Array.of(0.75, -3, 3.5));
    expect(x1).toEqual(Float32Array.of(1, -2, 0.5));
  });

  it.each([1, 3, 50])('takes exactly %d steps, from t = 1 down to 0', async (steps) => {
    const times: number[] = [];
    await integrate(
      async (x, t) => {
        times.push(t);
        return x;
      },
      Float32Array.of(1),
      steps,
    );
    expect(times).toHaveLength(steps * evaluationsPerStep);
    expect(times[0]).toBe(1);
    expect(times.every((t, i) => i === 0 || t <= times[i - 1]!)).toBe(true);
    expect(times.at(-1)).toBe(evaluationsPerStep === 1 ? 1 / steps : 0);
  });

  it('goes from noise to data with the order of its error', async () => {
    const z = [-1.5, 0.2, 1];
    const error = async (steps: number): Promise<number> => {
      const x0 = await integrate(gaussianFlow(2, 0.5), Float32Array.from(z), steps);
      return Math.hypot(...z.map((value, i) => x0[i]! - (2 + 0.5 * value)));
    };
    const order = Math.log2((await error(16)) / (await error(32)));
    expect(Math.abs(order - evaluationsPerStep)).toBeLessThan(0.15);
    expect(await error(64)).toBeLessThan(0.1);
  });

  it.each([0, -1, 2.5, NaN])('refuses %d steps', async (steps) => {
    const velocity: Velocity = async (x) => x;
    await expect(integrate(velocity, Float32Array.of(1), steps)).rejects.toThrow(
      `sample: steps must be a positive integer, got ${steps}`,
    );
  });
});

it('a sampler that is not there is refused with a guess', () => {
  expect(() => samplerByName('Euler')).toThrow(
    'sampler: must be one of euler, heun, got "Euler". Did you mean "euler"?',
  );
});
