import { beforeAll, describe, expect, it } from 'vitest';
import type { Backend, Buffer, Buffers, Executable } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { ddpm } from '../../src/flow/ddpm.ts';
import type { Integrator } from '../../src/flow/integrator.ts';
import type { Objective } from '../../src/flow/objective.ts';
import { rectifiedFlow } from '../../src/flow/rectified-flow.ts';
import { FlowSampler } from '../../src/flow/sample.ts';
import type { SampleOptions } from '../../src/flow/sample-request.ts';
import { type AnySamplerName, samplers } from '../../src/flow/samplers.ts';
import { streams } from '../../src/tensor/random-streams.ts';
import type { Attributes } from '../../src/tensor/tensor.ts';
import { relativeError } from '../support/conformance.ts';
import { float32Backends } from '../support/backends.ts';
import { randomWeights, tinyDiT } from '../support/models.ts';

const model = tinyDiT();
const flow = { ...rectifiedFlow(), samplers };
const diffusion = ddpm({ schedule: 'cosine', timesteps: 20 });

/** The objective, whose samplers compute on the host. */
function onHost(objective: Objective): Objective {
  const entries = Object.entries(objective.samplers!).map(([name, { evaluationsPerStep, integrate }]) => {
    const integrator: Integrator = { evaluationsPerStep, integrate };
    return [name, integrator];
  });
  return { ...objective, samplers: Object.fromEntries(entries) };
}

/** Five samples in batches of two: the last is filled up. */
const five: SampleOptions = {
  count: 5,
  conditions: { labels: [0, 1, 2, 1, 0] },
  steps: 4,
  seed: 2 ** 40 + 1,
};

const cases: [by: string, Objective, Partial<SampleOptions>][] = [
  ['euler', flow, { sampler: 'euler' }],
  [
    'euler with guidance in an interval, a time shift',
    flow,
    { sampler: 'euler', guidance: 3, guidanceInterval: [0.3, 0.8], timeShift: 2 },
  ],
  [
    'heun with guidance in an interval',
    flow,
    { sampler: 'heun', guidance: 1.5, guidanceInterval: [0, 0.75] },
  ],
  ['midpoint with a time shift', flow, { sampler: 'midpoint', timeShift: 0.7 }],
  ['rk4 with guidance', flow, { sampler: 'rk4', steps: 2, guidance: 2 }],
  ['euler-maruyama with no noise', flow, { sampler: 'euler-maruyama', diffusion: 0 }],
  [
    'euler-maruyama with guidance, noise by a function',
    flow,
    { sampler: 'euler-maruyama', diffusion: (t) => t ** 2 / 3, guidance: 2 },
  ],
  ['ddim', diffusion, { sampler: 'ddim' }],
  ['ddim with guidance, some noise, a range', diffusion, { sampler: 'ddim', eta: 0.3, clip: 1, guidance: 2 }],
  ['ancestral with a range', diffusion, { sampler: 'ancestral', clip: 0.75 }],
];

describe.each(float32Backends())('samples that stay on $label', ({ label, create, skip }) => {
  // The steps of solvers are float64; where there is none, they are as near as float32 is.
  const hasFloat64 = label !== 'webgpu';
  it.skipIf(skip !== undefined).each(cases)(
    `are those of the host${hasFloat64 ? ' to the bit' : ''} by %s`,
    async (_, objective, options) => {
      const backend = create();
      const weights = await randomWeights(backend, model);
      const make = (by: Objective): Promise<Float32Array> =>
        new FlowSampler(backend, model, weights, { batchSize: 2, objective: by }).sample({
          ...five,
          ...options,
        });
      const made = await make(objective);
      expect(made).toHaveLength(5 * 2 * 8 * 12);
      const wanted = await make(onHost(objective));
      if (hasFloat64) expect(made).toEqual(wanted);
      else expect(relativeError(made, wanted)).toBeLessThan(1e-5);
    },
  );
});

/** Counts what goes between the host and the device, and what is allocated there. */
function counting() {
  const inner = referenceBackend();
  const counts = { reads: 0, writes: 0, allocated: 0, disposed: 0, inputs: 0 };
  const noises: Attributes[] = [];
  const counted = (buffer: Buffer): Buffer => {
    const { read, write, dispose } = buffer;
    return Object.assign(buffer, {
      read: () => (counts.reads++, read.call(buffer)),
      write: (values: Float32Array) => (counts.writes++, write.call(buffer, values)),
      dispose: () => (counts.disposed++, dispose.call(buffer)),
    });
  };
  const backend: Backend = {
    ...inner,
    allocate: (type) => (counts.allocated++, counted(inner.allocate(type))),
    async compile(program, buffers): Promise<Executable> {
      const executable = await inner.compile(program, buffers);
      for (const { op, attributes } of program.nodes) if (op.name === 'philoxNormal') noises.push(attributes);
      return {
        ...executable,
        run: (inputs) => {
          for (const { length } of Object.values(inputs)) counts.inputs = Math.max(counts.inputs, length);
          return executable.run(inputs);
        },
        dispose: () => executable.dispose(),
      };
    },
  };
  return { backend, counts, noises };
}

describe('on a device', () => {
  let backend: Backend;
  let counts: ReturnType<typeof counting>['counts'];
  let noises: readonly Attributes[];
  let weights: Buffers;
  let sampler: FlowSampler;
  beforeAll(async () => {
    ({ backend, counts, noises } = counting());
    weights = await randomWeights(backend, model);
    sampler = new FlowSampler(backend, model, weights, { batchSize: 2, objective: flow });
  });

  it.each<AnySamplerName>(['euler', 'heun', 'midpoint', 'rk4', 'euler-maruyama'])(
    '%s reads x once for each batch, and sends nothing of its size',
    async (name) => {
      Object.assign(counts, { reads: 0, writes: 0, inputs: 0 });
      await sampler.sample({ ...five, sampler: name });
      expect(counts).toMatchObject({ reads: 3, writes: 0 });
      expect(counts.inputs).toBeLessThan(2 * 8 * 12);
    },
  );

  it('noise is to the bit what the host draws', async () => {
    await sampler.sample({ ...five, sampler: 'euler-maruyama' });
    expect(noises.map(({ stream, exact }) => [stream, exact]).slice(-2)).toEqual([
      [streams.sampling, 1],
      [streams.diffusion, 1],
    ]);
  });

  it('x is read at every evaluation for those who ask, and is where it was on the way', async () => {
    Object.assign(counts, { reads: 0, writes: 0 });
    const seen: number[][] = [];
    const onVisit: SampleOptions['onVisit'] = (x, t, first) => void seen.push([first, t as number, x[7]!]);
    const made = await sampler.sample({ ...five, sampler: 'heun', onVisit });
    expect(counts).toMatchObject({ reads: 3 + 3 * 8, writes: 0 });
    const wanted: number[][] = [];
    const host = new FlowSampler(backend, model, weights, {
      batchSize: 2,
      objective: onHost(flow),
    });
    const same = await host.sample({
      ...five,
      sampler: 'heun',
      onVisit: (x, t, first) => void wanted.push([first, t as number, x[7]!]),
    });
    expect(made).toEqual(same);
    expect(seen).toEqual(wanted);
  });

  it('buffers are used again from step to step, batch to batch and call to call', async () => {
    await sampler.sample({ ...five, sampler: 'rk4' });
    const before = counts.allocated;
    await sampler.sample({ ...five, sampler: 'rk4', steps: 7, count: 4, conditions: {}, seed: 9 });
    expect(counts.allocated).toBe(before);
  });

  it('samples of another shape have buffers of their own', async () => {
    const [own, host] = [flow, onHost(flow)].map(
      (objective) => new FlowSampler(backend, model, weights, { batchSize: 2, objective }),
    ) as [FlowSampler, FlowSampler];
    const options: SampleOptions = { ...five, sampler: 'heun' };
    const wanted = await own.sample(options);
    const larger = await own.sample({ ...options, shape: [2, 12, 8] });
    expect(larger).toEqual(await host.sample({ ...options, shape: [2, 12, 8] }));
    expect(larger).not.toEqual(wanted);
    expect(await own.sample(options)).toEqual(wanted);
    await Promise.all([own.dispose(), host.dispose()]);
  });

  it('calls at once do not mix', async () => {
    const seeds = [1, 2, 3];
    const together = await Promise.all(seeds.map((seed) => sampler.sample({ ...five, seed })));
    for (const [i, seed] of seeds.entries())
      expect(together[i]).toEqual(await sampler.sample({ ...five, seed }));
  });

  it('sampling stops between steps, and goes on another time as if nothing had been', async () => {
    const wanted = await sampler.sample({ ...five, sampler: 'midpoint' });
    const controller = new AbortController();
    const stopped = sampler.sample({
      ...five,
      sampler: 'midpoint',
      signal: controller.signal,
      onProgress: (done) => done === 3 && controller.abort(new Error('enough')),
    });
    await expect(stopped).rejects.toThrow('enough');
    expect(await sampler.sample({ ...five, sampler: 'midpoint' })).toEqual(wanted);
  });

  it('what samples were made in is given back when the sampler is disposed of, after what is under way', async () => {
    const { backend: own, counts: ofOwn } = counting();
    const itsWeights = await randomWeights(own, model);
    const parameters = ofOwn.allocated;
    const made = new FlowSampler(own, model, itsWeights, { batchSize: 2, objective: flow });
    const last = made.sample({ ...five, sampler: 'rk4' });
    await made.dispose();
    await made.dispose();
    expect(await last).toEqual(await sampler.sample({ ...five, sampler: 'rk4' }));
    expect(ofOwn.allocated).toBeGreaterThan(parameters + 2);
    expect(ofOwn.disposed).toBe(ofOwn.allocated - parameters);
    await expect(made.sample(five)).rejects.toThrow('the sampler was disposed of');
  });
});
