import { beforeAll, describe, expect, it } from 'vitest';
import type { Buffer } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { stepsDown } from '../../src/flow/integrator.ts';
import { FlowSampler } from '../../src/flow/sample.ts';
import type { SampleOptions } from '../../src/flow/sample-request.ts';
import type { SamplerName } from '../../src/flow/samplers.ts';
import { randomWeights, tinyDiT } from '../support/models.ts';

const backend = referenceBackend();
const model = tinyDiT();
const elements = 2 * 8 * 12;
const count = 3;
let weights: Map<string, Buffer>;
beforeAll(async () => {
  weights = await randomWeights(backend, model);
});

const sample = (options: Partial<SampleOptions> = {}, batchSize = 64): Promise<Float32Array> =>
  new FlowSampler(backend, model, weights, { batchSize }).sample({
    count,
    conditions: { labels: [0, 1, 2] },
    steps: 5,
    seed: 1,
    ...options,
  });

/** Where samples are after so many steps. */
async function visited(options: Partial<SampleOptions>, done: number): Promise<Float32Array> {
  const { steps = 5, timeShift = 1 } = options;
  const { t: begin } = [...stepsDown({ steps, timeShift })][done]!;
  const seen = new Float32Array(count * elements);
  await sample({
    ...options,
    onVisit: (x, t, first) => {
      if (t === begin) seen.set(x.subarray(0, count * elements), first * elements);
    },
  });
  return seen;
}

describe('samples that begin on the way', () => {
  const samplers = ['euler', 'midpoint', 'heun', 'rk4', 'euler-maruyama'] as const satisfies SamplerName[];

  it.each(samplers)('go on to the bit as if they had never stopped: %s', async (sampler) => {
    for (const options of [{ sampler }, { sampler, timeShift: 3, guidance: 2 }]) {
      const whole = await sample(options);
      for (const done of [0, 1, 4]) {
        const x = await visited(options, done);
        expect(await sample({ ...options, from: { x, done } })).toEqual(whole);
      }
    }
  });

  it('do so in batches of any size', async () => {
    const x = await visited({}, 2);
    expect(await sample({ from: { x, done: 2 } }, 2)).toEqual(await sample());
  });

  it('become something else where they are told something else from there on', async () => {
    const x = await visited({}, 2);
    const other = await sample({ from: { x, done: 2 }, conditions: { labels: [1, 1, 2] } });
    const whole = await sample();
    expect(other.subarray(0, elements)).not.toEqual(whole.subarray(0, elements));
    expect(other.subarray(elements)).toEqual(whole.subarray(elements));
  });

  it('count the steps that are left', async () => {
    const told: [number, number][] = [];
    const x = new Float32Array(count * elements);
    await sample({ from: { x, done: 3 }, onProgress: (done, total) => void told.push([done, total]) });
    expect(told.at(-1)).toEqual([2, 2]);
  });

  it('are refused where they do not fit', async () => {
    const x = new Float32Array(count * elements);
    await expect(sample({ from: { x, done: 5 } })).rejects.toThrow(
      /from.done must be a whole number from 0 to 4/,
    );
    await expect(sample({ from: { x, done: -1 } })).rejects.toThrow(/from.done must be/);
    await expect(sample({ from: { x: x.subarray(1), done: 1 } })).rejects.toThrow(
      /from.x must be 576 numbers/,
    );
    await expect(sample({ sampler: 'dopri5', from: { x, done: 1 } })).rejects.toThrow(
      /from must be left out: this sampler has no steps/,
    );
  });
});
