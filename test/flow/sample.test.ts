import { beforeAll, describe, expect, it } from 'vitest';
import type { Backend, Buffer } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { FlowSampler } from '../../src/flow/sample.ts';
import { velocityProgram } from '../support/velocity-program.ts';
import type { SampleOptions } from '../../src/flow/sample-request.ts';
import { type SamplerName, samplers } from '../../src/flow/samplers.ts';
import type { DiT } from '../../src/models/dit.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { relativeError } from '../support/conformance.ts';
import { randomWeights, tinyDiT } from '../support/models.ts';
import { randomValues } from '../support/random.ts';

const backend = referenceBackend();
const model = tinyDiT();
const elements = 2 * 8 * 12;
let weights: Map<string, Buffer>;
beforeAll(async () => {
  weights = await randomWeights(backend, model);
});

/** Samples of these classes. */
const told = (labels: number[]): Pick<SampleOptions, 'count' | 'conditions'> => ({
  count: labels.length,
  conditions: { labels },
});

const sample = async (options: Partial<SampleOptions>, batchSize?: number): Promise<Float32Array> =>
  new FlowSampler(backend, model, weights, { batchSize }).sample({
    ...told([0, 1, 2]),
    steps: 2,
    seed: 1,
    ...options,
  });

describe('guidance', () => {
  async function velocity(guided: boolean, labels: number[], guidance?: number): Promise<HostArray> {
    const executable = await backend.compile(velocityProgram(model, 2, guided), weights);
    await executable.run({
      x: Float32Array.from(randomValues(2 * elements, 4)),
      t: Float32Array.of(0.4, 0.4),
      labels: Int32Array.from(labels),
      ...(guidance !== undefined && { guidance: Float32Array.of(guidance) }),
    });
    return (await executable.read(['velocity'])).velocity;
  }

  it('of 1 is the conditional velocity, of 0 the unconditional one', async () => {
    const both = [0, 2, 3, 3];
    expect(relativeError(await velocity(true, both, 1), await velocity(false, [0, 2]))).toBeLessThan(1e-6);
    expect(relativeError(await velocity(true, both, 0), await velocity(false, [3, 3]))).toBeLessThan(1e-6);
  });

  it('goes beyond the conditional velocity on every channel', async () => {
    const conditional = await velocity(false, [0, 2]);
    const unconditional = await velocity(false, [3, 3]);
    const wanted = unconditional.map((null_, i) => null_ + 2.5 * (conditional[i]! - null_));
    expect(relativeError(await velocity(true, [0, 2, 3, 3], 2.5), wanted)).toBeLessThan(1e-5);
  });

  it('of 1 changes nothing about samples, of 2 does', async () => {
    const plain = await sample({});
    expect(await sample({ guidance: 1 })).toEqual(plain);
    expect(relativeError(await sample({ guidance: 2 }), plain)).toBeGreaterThan(0.01);
  });

  it('in an interval evaluates both velocities there, and the conditional one alone elsewhere', async () => {
    const rows: number[] = [];
    const counting: Backend = {
      ...backend,
      async compile(program, buffers) {
        const executable = await backend.compile(program, buffers);
        return {
          ...executable,
          run(inputs) {
            if (inputs.labels) rows.push(inputs.labels.length);
            return executable.run(inputs);
          },
        };
      },
    };
    const options = { ...told([0, 1, 2]), steps: 10, seed: 1, guidance: 2 };
    await new FlowSampler(counting, model, weights).sample({ ...options, guidanceInterval: [0.25, 0.65] });
    expect(rows).toEqual([3, 3, 3, 3, 6, 6, 6, 6, 3, 3]);
  });

  it('in an interval is none outside of it and whole inside', async () => {
    const plain = await sample({});
    expect(await sample({ guidance: 2, guidanceInterval: [0.6, 0.9] })).toEqual(plain);
    expect(await sample({ guidance: 2, guidanceInterval: [0.5, 1] })).toEqual(await sample({ guidance: 2 }));
  });
});

describe('samples', () => {
  it('do not depend on how they are split into batches', async () => {
    const labels = [0, 1, 2, 1, 0];
    const whole = await sample({ ...told(labels), guidance: 2 });
    expect(whole).toHaveLength(5 * elements);
    for (const batchSize of [1, 2, 3])
      expect(await sample({ ...told(labels), guidance: 2 }, batchSize)).toEqual(whole);
    expect(await sample({ ...told(labels.slice(0, 2)), guidance: 2 })).toEqual(whole.slice(0, 2 * elements));
  });

  // Samples that choose their own steps are at different times, some of them in the interval and some not.
  it.each<Partial<SampleOptions>>([
    { sampler: 'dopri5' },
    { sampler: 'dopri5', rtol: 0.03, atol: 0.03, guidance: 2, guidanceInterval: [0.3, 0.7] },
    { sampler: 'euler-maruyama', steps: 4 },
    { sampler: 'heun', guidance: 2 },
  ])('do not by %j either, nor on where they are counted from', async (options) => {
    const labels = [0, 1, 2, 1, 0];
    const whole = await sample({ ...told(labels), ...options });
    for (const batchSize of [1, 2, 3])
      expect(await sample({ ...told(labels), ...options }, batchSize)).toEqual(whole);
    const last = { ...told(labels.slice(3)), ...options, firstSample: 3 };
    expect(await sample(last)).toEqual(whole.slice(3 * elements));
  });

  it('differ by seed, label and sampler', async () => {
    const seen = [
      await sample({}),
      await sample({ seed: 2 }),
      await sample({ ...told([1, 1, 1]) }),
      await sample({ sampler: 'heun' }),
    ];
    expect(new Set(seen.map((values) => values.subarray(0, elements).join())).size).toBe(4);
  });

  it('without labels are those of the null label', async () => {
    const free = tinyDiT({ classes: 0 });
    const unconditional = new FlowSampler(backend, free, await randomWeights(backend, free));
    const made = await unconditional.sample({ count: 2, steps: 1, seed: 1 });
    expect(made).toHaveLength(2 * elements);
    const dropped = await new FlowSampler(backend, model, weights).sample({ count: 3, steps: 2, seed: 1 });
    expect(relativeError(dropped, await sample({ guidance: 0 }))).toBeLessThan(1e-5);
  });

  const fixed = (Object.keys(samplers) as SamplerName[]).filter((name) => name !== 'dopri5');

  it.each(fixed)('by %s report every evaluation', async (sampler) => {
    const seen: [number, number][] = [];
    await sample({ sampler, steps: 3, onProgress: (done, total) => seen.push([done, total]) }, 2);
    const total = 2 * 3 * samplers[sampler].evaluationsPerStep!;
    expect(seen).toEqual(Array.from({ length: total }, (_, i) => [i + 1, total]));
  });

  it('by dopri5 report an estimate that comes true', async () => {
    const seen: [number, number][] = [];
    await sample({ sampler: 'dopri5', onProgress: (done, total) => seen.push([done, total]) }, 2);
    const [last, ...before] = seen.toReversed();
    expect(before.toReversed().map(([done]) => done)).toEqual(before.map((_, i) => i + 1));
    expect(before.every(([done, total]) => Number.isInteger(total) && total > done)).toBe(true);
    expect(last).toEqual([before.length, before.length]);
    expect(before.length % 6).toBe(2);
  });

  it('stop when told to', async () => {
    const controller = new AbortController();
    let evaluations = 0;
    const stopped = sample({
      steps: 10,
      signal: controller.signal,
      onProgress: () => {
        if (++evaluations === 3) controller.abort(new Error('enough'));
      },
    });
    await expect(stopped).rejects.toThrow('enough');
    expect(evaluations).toBe(3);
  });

  it('that are not finite are not handed out', async () => {
    const broken: DiT = tinyDiT();
    const damaged = await randomWeights(backend, broken);
    await damaged.get('final_layer.linear.bias')!.write(new Float32Array(32).fill(NaN));
    for (const sampler of Object.keys(samplers) as SamplerName[]) {
      const made = new FlowSampler(backend, broken, damaged);
      await expect(made.sample({ ...told([0]), sampler, steps: 2, seed: 0 })).rejects.toThrow(
        'sample: sample 0 has numbers that are not finite',
      );
    }
  });
});

describe('sampling refuses', () => {
  const wrong: [string, Partial<SampleOptions>, string][] = [
    [
      'a label out of range',
      { ...told([0, 4]) },
      'sample: labels of sample 1 must be a whole number from 0 to 2, got 4',
    ],
    ['a negative label', { ...told([-1]) }, 'from 0 to 2, got -1'],
    ['fewer labels than samples', { count: 4 }, 'labels must be one for each of 4 samples, got 3 values'],
    ['no samples', { ...told([]) }, 'sample: count must be a positive integer, got 0'],
    ['guidance that is no number', { guidance: NaN }, 'sample: guidance must be a finite number, got NaN'],
    ['a sampler that is not there', { sampler: 'rk5' as SamplerName }, 'Did you mean "rk4"?'],
    ['a shift of nothing', { timeShift: 0 }, 'sample: timeShift must be a number above 0, got 0'],
    ['no tolerance', { rtol: 0 }, 'sample: rtol must be a number above 0, got 0'],
    ['a tolerance that is no number', { atol: NaN }, 'sample: atol must be a number above 0, got NaN'],
    ['negative diffusion', { diffusion: -1 }, 'sample: diffusion must be a number from 0, got -1'],
    ['too much noise', { eta: 1.5 }, 'sample: eta must be a number from 0 to 1, got 1.5'],
    ['a negative range', { clip: -1 }, 'sample: clip must be a number from 0, got -1'],
    ['no evaluations', { maxEvaluations: 0 }, 'maxEvaluations must be a positive integer, got 0'],
    [
      'an interval that ends before it begins',
      { guidanceInterval: [0.7, 0.3] },
      'sample: guidanceInterval must be two times, 0 <= low <= high <= 1, got [0.7, 0.3]',
    ],
    ['an interval beyond noise', { guidanceInterval: [0.3, 2] }, 'got [0.3, 2]'],
    [
      'diffusion that turns negative',
      { sampler: 'euler-maruyama', diffusion: (t) => 0.5 - t },
      'sample: diffusion at t = 1 must be a number from 0, got -0.5',
    ],
    [
      'tolerances that cannot be met',
      { sampler: 'dopri5', rtol: 1e-12, atol: 1e-12, maxEvaluations: 100 },
      'after 97 evaluations of the velocity, with rtol 1e-12 and atol 1e-12. Choose larger ones',
    ],
    ['a place before the first', { firstSample: -1 }, 'firstSample must be a whole number from 0, with the'],
    ['a place beyond the last', { firstSample: 2 ** 31 - 3 }, 'last sample below 2^31, got 2147483645'],
    ['no steps', { steps: 0 }, 'sample: steps must be a positive integer, got 0'],
  ];

  it.each(wrong)('%s', async (_, options, message) => {
    await expect(sample(options)).rejects.toThrow(message);
  });

  it('labels and guidance for a model without classes', async () => {
    const free = tinyDiT({ classes: 0 });
    const sampler = new FlowSampler(backend, free, await randomWeights(backend, free));
    await expect(sampler.sample({ ...told([0]), steps: 1, seed: 0 })).rejects.toThrow(
      'labels must be left out: the model was trained without',
    );
    await expect(sampler.sample({ count: 1, guidance: 2, steps: 1, seed: 0 })).rejects.toThrow(
      'guidance must be 1',
    );
  });
});
