import { describe, expect, it } from 'vitest';
import { ddpm } from '../../src/flow/ddpm.ts';
import { diffusionSamplers } from '../../src/flow/diffusion-samplers.ts';
import type { Integration, Velocity } from '../../src/flow/integrator.ts';
import { alphaBars } from '../../src/flow/noise-schedule.ts';
import { meanLoss, samplerOf } from '../../src/flow/objective.ts';
import { sampleTimes } from '../../src/flow/time-sampling.ts';
import { constant } from '../../src/ops/index.ts';
import { trace } from '../../src/program/index.ts';
import { philoxNormal } from '../../src/tensor/philox.ts';
import { float32Backends } from '../support/backends.ts';

const linear = alphaBars({ schedule: 'linear', timesteps: 1000 });

function moments(values: ArrayLike<number>): { mean: number; std: number } {
  const all = Array.from(values);
  const mean = all.reduce((total, value) => total + value, 0) / all.length;
  return { mean, std: Math.sqrt(all.reduce((total, value) => total + (value - mean) ** 2, 0) / all.length) };
}

// Made with decimal arithmetic of 40 digits, the cosine's from its closed form.
describe.each([
  { schedule: 'linear', timesteps: 1000, known: { 0: 0.9999, 99: 0.89701814567, 999: 4.03582976538e-5 } },
  { schedule: 'linear', timesteps: 100, known: { 0: 0.999, 49: 0.07419699672, 99: 2.03900897556e-5 } },
  {
    schedule: 'cosine',
    timesteps: 1000,
    known: { 0: 0.99995871578, 499: 0.49384359044, 899: 0.02409172414, 998: 2.4287669e-6, 999: 2.4287669e-9 },
  },
] as const)('alpha-bar, $schedule, of $timesteps timesteps', ({ known, ...schedule }) => {
  const alphaBar = alphaBars(schedule);

  it.each(Object.entries(known))('at %s is %d', (step, value) => {
    expect(alphaBar[Number(step)]! / value).toBeCloseTo(1, 7);
  });

  it('falls', () => {
    expect(alphaBar).toHaveLength(schedule.timesteps);
    expect(alphaBar.every((value, i) => value > 0 && value < (alphaBar[i - 1] ?? 1))).toBe(true);
  });
});

it('a schedule of two timesteps still has something to divide by', () => {
  for (const schedule of ['linear', 'cosine'] as const)
    expect(alphaBars({ schedule, timesteps: 2 }).every((value) => value > 0)).toBe(true);
});

for (const { label, create, skip } of float32Backends()) {
  describe.skipIf(skip !== undefined)(`on ${label}${skip ? ` (skipped: ${skip})` : ''}`, () => {
    const objective = ddpm({ schedule: 'linear', timesteps: 1000 });

    it('uniform times become uniform timesteps', async () => {
      const count = 20_000;
      const program = trace('times', (graph) => {
        const drawn = sampleTimes({ kind: 'uniform' }, graph.input('step', [], 'int32'), count, {
          seed: 1,
          stream: 1,
        });
        const ends = constant(drawn, [3], Float64Array.of(0, 0.0009999, 1));
        return { t: objective.times!(drawn), ends: objective.times!(ends) };
      });
      const executable = await create().compile(program, new Map());
      await executable.run({ step: Int32Array.of(1) });
      const timesteps = Array.from((await executable.read(['t'])).t, (t: number) => t * 1000);
      const distances = timesteps.map((step) => Math.abs(step - Math.round(step)));
      expect(Math.max(...distances)).toBeLessThan(1e-3);
      const tenths = Array.from({ length: 10 }, () => 0);
      for (const step of timesteps) tenths[Math.floor(Math.round(step) / 100)]!++;
      expect(Math.max(...tenths.map((n) => Math.abs(n / count - 0.1)))).toBeLessThan(0.01);
      const [first, stillFirst, last] = (await executable.read(['ends'])).ends;
      expect([first, stillFirst]).toEqual([0, 0]);
      expect(last).toBeCloseTo(0.999, 6);
    });

    it.each([0, 1, 500, 998, 999])('x_t at timestep %d has the moments of q(x_t | x_0)', async (step) => {
      const shape = [2, 1, 5000];
      const program = trace('mix', (graph) => {
        const [x0, x1, t] = [graph.input('x0', shape), graph.input('x1', shape), graph.input('t', [2])];
        return { xt: objective.mix(x0, x1, t) };
      });
      const executable = await create().compile(program, new Map());
      const x1 = philoxNormal({ seed: 1, stream: 0, step: 1, firstSample: 0, samples: 2, elements: 5000 });
      await executable.run({
        x0: new Float32Array(10_000).fill(0.7),
        x1: Float32Array.from(x1),
        t: Float32Array.of(step / 1000, step / 1000),
      });
      const { mean, std } = moments((await executable.read(['xt'])).xt);
      const noise = moments(x1);
      const [data, deviation] = [Math.sqrt(linear[step]!), Math.sqrt(1 - linear[step]!)];
      expect(mean).toBeCloseTo(0.7 * data + deviation * noise.mean, 4);
      expect(std).toBeCloseTo(deviation * noise.std, 4);
    });

    it('the loss is that of the noise', async () => {
      const program = trace('loss', (graph) => {
        const pair = { x0: graph.input('x0', [2, 2]), x1: graph.input('x1', [2, 2]) };
        const t = graph.input('t', [2]);
        const nothing = (xt: typeof t): typeof t => constant(xt, [2, 2], new Float64Array(4));
        return { loss: meanLoss(objective, nothing, { ...pair, t }).loss };
      });
      const executable = await create().compile(program, new Map());
      await executable.run({
        x0: Float32Array.of(9, 9, 9, 9),
        x1: Float32Array.of(1, 2, 3, 4),
        t: Float32Array.of(0, 0.999),
      });
      expect((await executable.read(['loss'])).loss[0]).toBeCloseTo((1 + 4 + 9 + 16) / 4, 5);
    });
  });
}

describe('samplers', () => {
  const [mean, deviation] = [0.6, 0.4];
  const { ddim, ancestral } = diffusionSamplers(linear);
  const count = 4000;
  const normal = (stream: number, step = 0): Float64Array =>
    philoxNormal({ seed: 2, stream, step, firstSample: 0, samples: count, elements: 1 });
  const x1 = normal(3);

  /** E[noise | x_t] where the data are N(mean, deviation^2). */
  const bestGuess: Velocity = async (x, t) => {
    const share = linear[Math.round((t as number) * 1000)]!;
    const variance = share * deviation ** 2 + 1 - share;
    return x.map((value) => (Math.sqrt(1 - share) * (value - Math.sqrt(share) * mean)) / variance);
  };
  const integration = (changes: Partial<Integration>): Integration => ({
    steps: 1000,
    stochastic: { diffusion: () => 0, noise: (step) => normal(7, step) },
    ...changes,
  });

  it('ddim carries noise to the data that belong to it, with an error that falls with the steps', async () => {
    const distance = async (steps: number): Promise<number> => {
      const x0 = await ddim.integrate(bestGuess, x1, integration({ steps }));
      return Math.max(...Array.from(x0, (x, i) => Math.abs(x - (mean + deviation * x1[i]!))));
    };
    expect(await distance(1000)).toBeLessThan(0.02);
    expect(await distance(50)).toBeGreaterThan(2 * (await distance(250)));
  });

  it.each([
    { name: 'ancestral', sampler: ancestral, changes: {} },
    { name: 'ancestral, half of the steps', sampler: ancestral, changes: { steps: 500 } },
    { name: 'ddim with some noise', sampler: ddim, changes: { eta: 0.5 } },
  ])('$name has the mean and the deviation of the data', async ({ sampler, changes }) => {
    const x0 = await sampler.integrate(bestGuess, x1, integration(changes));
    const made = moments(x0);
    expect(Math.abs(made.mean - mean)).toBeLessThan(0.02);
    expect(Math.abs(made.std - deviation)).toBeLessThan(0.02);
    // What belongs to a noise no longer follows from it.
    expect(Math.abs(x0[0]! - (mean + deviation * x1[0]!))).toBeGreaterThan(0.01);
  });

  it('ancestral steps are those of the posterior', async () => {
    const z = 0.3;
    const seen: [x: number, t: number][] = [];
    const predict: Velocity = async (x, t) => {
      seen.push([x[0]!, t as number]);
      return Float64Array.of(0.5);
    };
    const stochastic = { diffusion: () => 0, noise: () => Float64Array.of(z) };
    await ancestral.integrate(predict, Float64Array.of(1), { steps: 3, stochastic });
    expect(seen.map(([, t]) => t)).toEqual([0.999, 0.666, 0.332]);
    const [a, b] = [linear[999]!, linear[666]!];
    const beta = 1 - a / b;
    const x0 = (1 - Math.sqrt(1 - a) * 0.5) / Math.sqrt(a);
    const posterior = (Math.sqrt(b) * beta * x0 + Math.sqrt(a / b) * (1 - b) * 1) / (1 - a);
    const variance = ((1 - b) / (1 - a)) * beta;
    expect(seen[1]![0]).toBeCloseTo(posterior + Math.sqrt(variance) * z, 10);
  });

  it('ddim draws nothing, and ddim with eta 1 is ancestral', async () => {
    const noNoise = { diffusion: () => 0, noise: (): never => expect.unreachable() };
    const settings = integration({ steps: 5, stochastic: noNoise });
    const once = await ddim.integrate(bestGuess, x1, settings);
    expect(await ddim.integrate(bestGuess, x1, settings)).toEqual(once);
    const noisy = await ddim.integrate(bestGuess, x1, integration({ steps: 5, eta: 1 }));
    expect(await ancestral.integrate(bestGuess, x1, integration({ steps: 5 }))).toEqual(noisy);
  });

  it.each([1, 7, 1000])('take exactly %d steps, from the last timestep down', async (steps) => {
    const times: number[] = [];
    const predict: Velocity = async (x, t) => {
      times.push(t as number);
      return x;
    };
    await ddim.integrate(predict, Float32Array.of(1), { steps });
    expect(times).toHaveLength(steps);
    expect(times[0]).toBe(0.999);
    expect(times.every((t, i) => i === 0 || t < times[i - 1]!)).toBe(true);
  });

  it('clip keeps what is foreseen of the data in its range', async () => {
    const wrong: Velocity = async (x) => x.map(() => 0);
    const wild = await ddim.integrate(wrong, x1, integration({ steps: 5 }));
    expect(Math.max(...wild)).toBeGreaterThan(100);
    for (const sampler of [ddim, ancestral]) {
      const kept = await sampler.integrate(wrong, x1, integration({ steps: 5, clip: 1 }));
      expect(Math.max(...Array.from(kept, Math.abs))).toBe(1);
      const untouched = await sampler.integrate(bestGuess, x1, integration({ steps: 5, clip: 10 }));
      expect(untouched).toEqual(await sampler.integrate(bestGuess, x1, integration({ steps: 5 })));
    }
  });

  it('with a time shift have more steps near noise, and stay finite', async () => {
    const times: number[] = [];
    const predict: Velocity = async (x, t) => {
      times.push(t as number);
      return x;
    };
    const x0 = await ancestral.integrate(predict, x1, integration({ steps: 100, timeShift: 20 }));
    expect(times.filter((t) => t > 0.5).length).toBeGreaterThan(90);
    expect(x0.every(Number.isFinite)).toBe(true);
  });

  it('refuse more steps than there are timesteps', async () => {
    await expect(ddim.integrate(bestGuess, x1, { steps: 1001 })).rejects.toThrow(
      'sample: steps must be at most 1000, the timesteps of the diffusion, got 1001',
    );
  });

  it('of flows are not those of ddpm', () => {
    expect(() => samplerOf(ddpm({ schedule: 'linear', timesteps: 10 }), 'euler')).toThrow(
      'sampler: must be one of ddim, ancestral, those of ddpm, got "euler".',
    );
  });
});
