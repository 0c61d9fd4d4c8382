import { describe, expect, it } from 'vitest';
import { attemptStep } from '../../src/flow/dormand-prince.ts';
import type { Integration, Velocity } from '../../src/flow/integrator.ts';
import { samplerOf } from '../../src/flow/objective.ts';
import { rectifiedFlow } from '../../src/flow/rectified-flow.ts';
import { type SamplerName, samplers } from '../../src/flow/samplers.ts';
import { philoxNormal } from '../../src/tensor/philox.ts';

/** Of the samplers of fixed steps: the order of the error, and where the last step looks, as a share of a step. */
const fixed = [
  { name: 'euler', order: 1, end: 1 },
  { name: 'heun', order: 2, end: 0 },
  { name: 'midpoint', order: 2, end: 0.5 },
  { name: 'rk4', order: 4, end: 0 },
  { name: 'euler-maruyama', order: 1, end: 1 },
] as const;

/** With stochastic samplers made deterministic. */
const integration = (changes: Partial<Integration> = {}): Integration => ({
  steps: 8,
  adaptive: { rtol: 1e-6, atol: 1e-6, maxEvaluations: 1000 },
  stochastic: { diffusion: () => 0, noise: () => new Float64Array(0) },
  ...changes,
});

/**
 * The velocity of the flow from N(mean, deviation^2) at t = 0 to N(0, 1) at t = 1, which carries noise z to
 * mean + deviation * z: x_t is normal with mean (1 - t) mean and variance s^2 = (1 - t)^2 deviation^2 + t^2.
 */
function gaussianFlow(mean: number, deviation: number): Velocity {
  return async (x, t) =>
    x.map((value, i) => {
      const time = typeof t === 'number' ? t : t[Math.floor((i * t.length) / x.length)]!;
      const s2 = ((1 - time) * deviation) ** 2 + time ** 2;
      const growth = (time - (1 - time) * deviation ** 2) / s2;
      return -mean + growth * (value - (1 - time) * mean);
    });
}

/** dx/dt = (3 - 2 t) sin x, whose solutions are tan(x0 / 2) = tan(x1 / 2) / e^2: neither linear nor the same at all times. */
const curve: Velocity = async (x, t) =>
  x.map((value) => (3 - 2 * (typeof t === 'number' ? t : t[0]!)) * Math.sin(value));

function curveError(x0: ArrayLike<number>): number {
  return Math.hypot(...noise.map((x1, i) => x0[i]! - 2 * Math.atan(Math.tan(x1 / 2) / Math.E ** 2)));
}

const noise = [-1.5, 0.2, 1];

function moments(values: Iterable<number>): { mean: number; std: number } {
  const all = [...values];
  const mean = all.reduce((total, value) => total + value, 0) / all.length;
  return { mean, std: Math.sqrt(all.reduce((total, value) => total + (value - mean) ** 2, 0) / all.length) };
}

/** How far from the data that the noise belongs to. */
function distance(x0: ArrayLike<number>, mean: number, deviation: number): number {
  return Math.hypot(...noise.map((z, i) => x0[i]! - (mean + deviation * z)));
}

it.each(Object.keys(samplers) as SamplerName[])(
  '%s is exact where the velocity is constant',
  async (name) => {
    const x1 = Float32Array.of(1, -2, 0.5);
    const x0 = await samplers[name].integrate(async () => Float32Array.of(0.25, 1, -3), x1, integration());
    expect(x0).toEqual(Float32Array.of(0.75, -3, 3.5));
    expect(x1).toEqual(Float32Array.of(1, -2, 0.5));
  },
);

describe.each(fixed)('$name', ({ name, order, end }) => {
  const { integrate, evaluationsPerStep } = samplers[name];

  it.each([1, 3, 50])('takes exactly %d steps, from t = 1 down to 0', async (steps) => {
    const times: number[] = [];
    const velocity: Velocity = async (x, t) => {
      times.push(t as number);
      return x;
    };
    await integrate(velocity, Float32Array.of(1), integration({ steps }));
    expect(times).toHaveLength(steps * evaluationsPerStep!);
    expect(times[0]).toBe(1);
    expect(times.every((t, i) => i === 0 || t <= times[i - 1]!)).toBe(true);
    expect(times.at(-1)).toBeCloseTo(end / steps, 12);
  });

  it.each([1, 3, 0.5])('has an error of its order where steps are shifted by %d', async (timeShift) => {
    const error = async (steps: number): Promise<number> =>
      curveError(await integrate(curve, Float64Array.from(noise), integration({ steps, timeShift })));
    expect(Math.abs(Math.log2((await error(64)) / (await error(128))) - order)).toBeLessThan(0.1);
  });

  it('goes from noise to data', async () => {
    const x0 = await integrate(gaussianFlow(2, 0.5), Float32Array.from(noise), integration({ steps: 64 }));
    expect(distance(x0, 2, 0.5)).toBeLessThan(0.3 / 8 ** order);
  });

  it.each([0, -1, 2.5, NaN])('refuses %d steps', async (steps) => {
    const velocity: Velocity = async (x) => x;
    await expect(integrate(velocity, Float32Array.of(1), integration({ steps }))).rejects.toThrow(
      `sample: steps must be a positive integer, got ${steps}`,
    );
  });
});

it('the time shift puts steps where it says', async () => {
  const times: number[] = [];
  const velocity: Velocity = async (x, t) => {
    times.push(t as number);
    return x;
  };
  await samplers.euler.integrate(velocity, Float32Array.of(1), integration({ steps: 4, timeShift: 3 }));
  expect(times.map((t) => Number(t.toFixed(9)))).toEqual([1, 0.9, 0.75, 0.5]);
});

describe('dopri5', () => {
  const { integrate } = samplers.dopri5;
  const adaptive = { rtol: 1e-6, atol: 1e-6, maxEvaluations: 1000 };

  it('has steps of fifth order', async () => {
    const error = async (steps: number): Promise<number> => {
      let x = Float64Array.from(noise);
      for (let left = steps; left > 0; left--) {
        const t = Float64Array.of(left / steps);
        const first = await curve(x, t);
        const paths = { x, t, h: Float64Array.of(1 / steps) };
        x = Float64Array.from((await attemptStep(curve, paths, first, 3)).end);
      }
      return curveError(x);
    };
    expect(Math.abs(Math.log2((await error(32)) / (await error(64))) - 5)).toBeLessThan(0.1);
  });

  it('takes as many samples as there are', async () => {
    const many = new Float64Array(200_000).fill(1);
    const covered: number[] = [];
    const settings = { ...adaptive, elements: 1, onCovered: (share: number) => void covered.push(share) };
    const still: Velocity = async (x) => new Float64Array(x.length);
    const made = await integrate(still, many, integration({ adaptive: settings }));
    expect(made).toEqual(many);
    expect(covered.at(-1)).toBe(1);
    const hasty = integration({ adaptive: { ...settings, maxEvaluations: 2 } });
    await expect(integrate(still, many, hasty)).rejects.toThrow(/dopri5 is at t = 1.00 after 1 evaluations/);
  });

  it.each([1e-3, 1e-5, 1e-7, 1e-9])('keeps the error near a tolerance of %d', async (tolerance) => {
    const x1 = Float64Array.from(noise);
    const settings = { ...adaptive, rtol: tolerance, atol: tolerance };
    const x0 = await integrate(gaussianFlow(2, 0.5), x1, integration({ adaptive: settings }));
    expect(distance(x0, 2, 0.5)).toBeLessThan(10 * tolerance);
    expect(distance(x0, 2, 0.5)).toBeGreaterThan(tolerance / 1000);
  });

  it('evaluates once at first and six times a step, and no more for a tenth of the tolerance than it must', async () => {
    const evaluations = async (tolerance: number): Promise<number> => {
      let count = 0;
      const flow = gaussianFlow(2, 0.5);
      const velocity: Velocity = (x, t) => {
        count++;
        return flow(x, t);
      };
      const settings = { ...adaptive, rtol: tolerance, atol: tolerance };
      await integrate(velocity, Float64Array.from(noise), integration({ adaptive: settings }));
      return count;
    };
    const counts = [await evaluations(1e-3), await evaluations(1e-6), await evaluations(1e-9)];
    expect(counts.map((count) => count % 6)).toEqual([1, 1, 1]);
    expect(counts[0]).toBeLessThan(60);
    // A step is longer by the fifth root: four times as many of them for a thousandth.
    expect(counts[2]! / counts[1]!).toBeGreaterThan(2);
    expect(counts[2]! / counts[1]!).toBeLessThan(5);
  });

  it('gives every sample its own steps', async () => {
    const velocity: Velocity = async (x, t) => {
      const times = t as Float64Array;
      return x.map((value, i) => value * 20 ** i * Math.sin(20 * i * times[i]!));
    };
    const alone = async (sample: number): Promise<number> => {
      const one: Velocity = async (x, t) =>
        x.map((value) => value * 20 ** sample * Math.sin(20 * sample * (t as Float64Array)[0]!));
      const x0 = await integrate(
        one,
        Float64Array.of(1),
        integration({ adaptive: { ...adaptive, elements: 1 } }),
      );
      return x0[0]!;
    };
    const x0 = await integrate(
      velocity,
      Float64Array.of(1, 1, 1),
      integration({ adaptive: { ...adaptive, elements: 1, wanted: 2 } }),
    );
    expect([...x0]).toEqual([await alone(0), await alone(1), 1]);
  });

  it('ends at exactly 0, and tells how far it is', async () => {
    const [times, shares]: [number[], number[]] = [[], []];
    const flow = gaussianFlow(2, 0.5);
    const velocity: Velocity = (x, t) => {
      times.push((t as Float64Array)[0]!);
      return flow(x, t);
    };
    const settings = { ...adaptive, onCovered: (share: number) => shares.push(share) };
    await integrate(velocity, Float64Array.from(noise), integration({ adaptive: settings }));
    expect([times[0], times.at(-1)]).toEqual([1, 0]);
    expect(Math.min(...times)).toBe(0);
    expect(shares.at(-1)).toBe(1);
    expect(shares).toEqual(shares.toSorted((a, b) => a - b));
  });

  it('gives up with the time it got to where the velocity jumps about', async () => {
    const wild: Velocity = async (x, t) =>
      x.map((value) => Math.sin(1e9 * (value + (t as Float64Array)[0]!)));
    const settings = { ...adaptive, maxEvaluations: 301 };
    await expect(integrate(wild, Float64Array.of(1), integration({ adaptive: settings }))).rejects.toThrow(
      /^sample: dopri5 is at t = [\d.e-]+ after 301 evaluations of the velocity, with rtol 0.000001 and .*larger ones/,
    );
  });

  it('takes shorter steps where a trial runs off to infinity', async () => {
    // dx/dt = -1 / (2 x) from x = 1: x = sqrt(t), and too long a step leaves the real numbers.
    const velocity: Velocity = async (x) => x.map((value) => (value > 0.2 ? 0.5 / value : NaN));
    const settings = { ...adaptive, maxEvaluations: 600 };
    const made = integrate(velocity, Float64Array.of(1), integration({ adaptive: settings }));
    await expect(made).rejects.toThrow('dopri5 is at t = 0.04');
  });
});

describe('euler-maruyama', () => {
  const { integrate } = samplers['euler-maruyama'];
  const normals = (count: number) => (step: number) =>
    philoxNormal({ seed: 4, stream: 7, step, firstSample: 0, samples: count, elements: 1 });

  it('without diffusion is Euler, bit for bit', async () => {
    const x1 = Float32Array.from(noise);
    const made = await integrate(gaussianFlow(2, 0.5), x1, integration({ steps: 7 }));
    expect(made).toEqual(await samplers.euler.integrate(gaussianFlow(2, 0.5), x1, integration({ steps: 7 })));
  });

  it.each([
    ['t', (t: number) => t],
    ['4 t', (t: number) => 4 * t],
    ['a constant', () => 0.5],
    ['t^2', (t: number) => t ** 2],
  ])('keeps the distribution of the data with a diffusion of %s', async (_, diffusion) => {
    const x1 = philoxNormal({ seed: 1, stream: 3, step: 0, firstSample: 0, samples: 8000, elements: 1 });
    const stochastic = { diffusion, noise: normals(8000) };
    const x0 = await integrate(gaussianFlow(2, 0.5), x1, integration({ steps: 100, stochastic }));
    const { mean, std } = moments(x0);
    expect(Math.abs(mean - 2)).toBeLessThan(0.02);
    expect(Math.abs(std - 0.5)).toBeLessThan(0.015);
  });

  it('adds noise in every step but the last, by a diffusion at its beginning', async () => {
    const [steps, times]: [number[], number[]] = [[], []];
    const stochastic = {
      diffusion: (t: number) => {
        times.push(t);
        return t;
      },
      noise: (step: number) => {
        steps.push(step);
        return new Float64Array(3);
      },
    };
    await integrate(gaussianFlow(2, 0.5), Float64Array.from(noise), integration({ steps: 4, stochastic }));
    expect({ steps, times }).toEqual({ steps: [1, 2, 3], times: [1, 0.75, 0.5] });
  });

  it('forgets the noise it started from', async () => {
    const x1 = new Float64Array(2000).fill(1.5);
    const stochastic = { diffusion: (t: number) => 8 * t, noise: normals(2000) };
    const x0 = await integrate(gaussianFlow(2, 0.5), x1, integration({ steps: 200, stochastic }));
    const { mean, std } = moments(x0);
    expect(Math.abs(mean - 2)).toBeLessThan(0.06);
    expect(Math.abs(std - 0.5)).toBeLessThan(0.04);
  });
});

it('a sampler that is not there is refused with a guess', () => {
  expect(() => samplerOf(rectifiedFlow(), 'Euler')).toThrow(
    'sampler: must be one of euler, heun, midpoint, rk4, dopri5, euler-maruyama, those of rectified-flow, got "Euler". Did you mean "euler"?',
  );
});
