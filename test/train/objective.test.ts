import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { compareObjectives } from '../../src/report/compare-objectives.ts';
import { diagnose } from '../../src/api/doctor/diagnose.ts';
import { importRun } from '../../src/api/import/run.ts';
import { sample } from '../../src/api/sample.ts';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { readRun } from '../../src/runs/run-folder.ts';
import { writeSafetensors } from '../../src/formats/safetensors-file.ts';
import { ddpm as ddpmObjective } from '../../src/flow/ddpm.ts';
import type { Objective } from '../../src/flow/objective.ts';
import { interpolate } from '../../src/flow/rectified-flow.ts';
import type { TimeSampler } from '../../src/flow/time-sampling.ts';
import { affine, div, reshape, square, sub } from '../../src/ops/index.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { recipeConfig } from '../../src/config/load-config.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { temporaryFolder } from '../support/cli.ts';
import { tinyDiT } from '../support/models.ts';
import { storedWeights } from '../support/stored-weights.ts';
import { checkpointBytes, stripes, tinyStripes } from '../support/tiny-run.ts';

const backend = referenceBackend();
const source = stripes();
const ddpm: ConfigInput = { ...tinyStripes, flow: { objective: { kind: 'ddpm', timesteps: 50 } } };

describe('a config', () => {
  it('learns a velocity unless it says otherwise, and DDPM has defaults', () => {
    expect(resolveConfig(tinyStripes)).toMatchObject({
      flow: { objective: { kind: 'rectified-flow' } },
      sample: { sampler: 'euler' },
    });
    expect(resolveConfig(recipeConfig('digits', { flow: { objective: { kind: 'ddpm' } } }))).toMatchObject({
      flow: {
        objective: { kind: 'ddpm', schedule: 'linear', timesteps: 1000 },
        timeSampling: { kind: 'logit-normal' },
      },
      sample: { sampler: 'ddim', eta: 0, clip: 1 },
    });
  });

  it('foresees data that are no pictures wherever they are', () => {
    const latents = { ...tinyStripes, model: { ...tinyStripes.model, channels: 4 } };
    expect(resolveConfig(latents).sample.clip).toBe(0);
    const facts = { name: 'z', count: 9, shape: [1, 8, 12], classes: 3, record: { kind: 'latents' } };
    expect(resolveConfig(tinyStripes, { facts }).sample.clip).toBe(0);
    expect(resolveConfig(tinyStripes).sample.clip).toBe(1);
  });

  it('of a run that was made before there were objectives resumes as it was', () => {
    const config = resolveConfig(tinyStripes);
    const { objective: _, ...flow } = config.flow;
    expect(resolveConfig(JSON.parse(JSON.stringify({ ...config, flow })) as ConfigInput)).toEqual(config);
  });

  it.each<[unknown, RegExp]>([
    [
      { flow: { objective: { kind: 'dpm' } } },
      /objective.kind: wanted one of rectified-flow, ddpm, custom, found "dpm"\. Did you mean "ddpm"\?/,
    ],
    [{ flow: { objective: { kind: 'ddpm', schedule: 'cosin' } } }, /schedule: wanted one of linear, cosine/],
    [
      { flow: { objective: { kind: 'ddpm', timesteps: 1 } } },
      /timesteps: wanted a whole number from 2 to 1000000, found 1/,
    ],
    [
      { flow: { objective: { kind: 'ddpm' } }, sample: { sampler: 'euler' } },
      /sample.sampler: wanted one of ddim, ancestral, the samplers of ddpm, found "euler"/,
    ],
    [
      { sample: { sampler: 'ddim' } },
      /sample.sampler: wanted one of euler, .*, the samplers of rectified-flow, found "ddim"/,
    ],
    [
      { flow: { objective: { kind: 'ddpm' }, lossWeighting: { kind: 'min-snr' } } },
      /flow.lossWeighting.kind: wanted none: .*, found "min-snr"/,
    ],
    [
      { flow: { objective: { kind: 'ddpm', timesteps: 20 } }, sample: { steps: 21 } },
      /sample.steps: wanted at most flow.objective.timesteps, 20, found 21/,
    ],
    [{ sample: { eta: 2 } }, /sample.eta: wanted a number from 0 to 1, found 2/],
  ])('%j is refused', (changes, message) => {
    expect(() => resolveConfig({ ...tinyStripes, ...(changes as ConfigInput) })).toThrow(message);
  });
});

describe('a run with DDPM', () => {
  it('begins with the loss of a model that predicts nothing, and resumes to the bit', async () => {
    const runs = await temporaryFolder();
    const stopped = new AbortController();
    const onStep = ({ step }: { step: number }): void => void (step === 4 && stopped.abort());
    const { run, metrics, finished } = await train(ddpm, {
      runs,
      source,
      backend,
      onStep,
      signal: stopped.signal,
    });
    expect(finished).toBe(false);
    expect(metrics!.loss).toBeCloseTo(1, 0);
    await resume(run, { source, backend });
    const whole = await train({ ...ddpm, name: 'whole' }, { runs, source, backend });
    expect(await checkpointBytes(run, 12)).toEqual(await checkpointBytes(whole.run, 12));
    const rectified = await train({ ...tinyStripes, name: 'flow' }, { runs, source, backend });
    expect(await checkpointBytes(rectified.run, 12)).not.toEqual(await checkpointBytes(whole.run, 12));
  });

  it('is sampled by its own samplers, guidance included', async () => {
    const { run } = await train(ddpm, { runs: await temporaryFolder(), source, backend });
    const images = async (options: object): Promise<Float32Array> =>
      (await sample(run, { backend, count: 2, labels: [0, 2], ...options })).values;
    const ddim = await images({});
    expect(ddim).toHaveLength(4 * 96);
    expect(await images({ sampler: 'ddim', eta: 0, guidance: 2 })).toEqual(ddim);
    for (const other of [{ guidance: 1 }, { eta: 1 }, { sampler: 'ancestral' }, { timeShift: 3 }])
      expect(await images({ steps: 4, ...other })).not.toEqual(await images({ steps: 4 }));
    expect(await images({ sampler: 'ancestral' })).toEqual(await images({ eta: 1 }));
    await expect(images({ sampler: 'heun' })).rejects.toThrow(
      'sampler: must be one of ddim, ancestral, those of ddpm, got "heun"',
    );
  });
});

describe('an objective and a time sampler of the program that trains', () => {
  /** The model says the data; x_t and the samplers are rectified flow's. */
  const data: Objective = {
    name: 'data prediction',
    mix: interpolate,
    target: (x0) => x0,
    velocity: (x0, xt, t) => div(sub(xt, x0), reshape(t, [t.shape[0]!, 1, 1, 1])),
  };
  const nearData: TimeSampler = { fromUniform: (u) => square(affine(u, 0.5, 0.25)) };
  const config: ConfigInput = {
    ...tinyStripes,
    flow: { objective: { kind: 'custom' }, timeSampling: { kind: 'custom', stratified: true } },
  };

  it('train, resume and sample', async () => {
    const runs = await temporaryFolder();
    const own = { source, backend, objective: data, timeSampler: nearData };
    const { run, samples } = await train(config, { runs, ...own });
    expect(samples).toBe(join(run, 'samples', 'step-0000012.png'));
    const { values } = await sample(run, { backend, objective: data, steps: 3, count: 1, guidance: 1 });
    expect(values.every(Number.isFinite)).toBe(true);
    const { finished } = await resume(run, own);
    expect(finished).toBe(true);
  });

  it('are those that the doctor trains a batch with', async () => {
    const own = { source, backend, objective: data, timeSampler: nearData, overfitSeconds: 600 };
    const text = async (input: ConfigInput, options: object): Promise<string | undefined> =>
      (await diagnose(input, { ...own, ...options })).find(({ name }) => name === 'one batch')?.text;
    const trained = await text(config, {});
    expect(trained).toMatch(/^the loss on a single batch goes from/);
    // The data alone are to be said, so that a model that says nothing is off by no noise.
    const velocity = await text(tinyStripes, { objective: undefined, timeSampler: undefined });
    const first = (of: string | undefined): number => Number(/from ([\d.]+)/.exec(of!)![1]);
    expect(first(velocity) - first(trained)).toBeGreaterThan(0.5);
  });

  it('are compared with DDPM in the place of rectified flow', async () => {
    const runs = await temporaryFolder();
    const own = { source, backend, objective: data, timeSampler: nearData };
    const options = { ...own, runs, evaluations: [2, 3], count: 4 };
    const compared = await compareObjectives(config, options);
    expect(compared.rows.map(({ objective, sampler }) => [objective, sampler])).toEqual([
      ['custom', 'euler'],
      ['custom', 'euler'],
      ['ddpm', 'ddim'],
      ['ddpm', 'ddim'],
    ]);
    const folders = ['stripes-custom', 'stripes-ddpm'].map((name) => join(runs, name));
    expect(compared.objectives.map(({ run }) => run)).toEqual(folders);
    expect((await readRun(folders[1]!)).config).toMatchObject({
      flow: { objective: { kind: 'ddpm' }, timeSampling: { kind: 'uniform' } },
    });
    const alone = await train({ ...config, name: 'alone' }, { runs, ...own });
    expect(await checkpointBytes(folders[0]!, 12)).toEqual(await checkpointBytes(alone.run, 12));
    expect((await compareObjectives(config, options)).rows).toEqual(compared.rows);
    await expect(compareObjectives(config, { ...options, objective: undefined })).rejects.toThrow(
      'flow.objective: a custom objective is handed over by the program that trains',
    );
    await expect(compareObjectives(tinyStripes, { ...options, timeSampler: undefined })).rejects.toThrow(
      'flow.objective.kind: wanted custom, because the program hands over its own objective',
    );
  });

  it('are compared by the sampler of first order that they have', async () => {
    const noise: Objective = { ...ddpmObjective({ schedule: 'linear', timesteps: 20 }), name: 'own noise' };
    const runs = await temporaryFolder();
    const own = { source, backend, objective: noise, timeSampler: nearData };
    const { rows } = await compareObjectives(
      { ...config, sample: { sampler: 'ancestral', steps: 2 } },
      { ...own, runs, evaluations: [2], count: 4 },
    );
    expect(rows.map(({ sampler }) => sampler)).toEqual(['ddim', 'ddim']);
  });

  it('fit imported weights', async () => {
    const runs = await temporaryFolder();
    const path = join(runs, 'weights.safetensors');
    await writeSafetensors(path, storedWeights(tinyDiT()));
    const given = { ...config, name: 'imported', train: { microBatch: 'auto' } } as const;
    const options = { runs, heads: 2, imageSize: [8, 12], convention: 'rectiflow', config: given } as const;
    await expect(importRun(path, options)).rejects.toThrow('a custom time sampler is handed over');
    const { run } = await importRun(path, { ...options, objective: data, timeSampler: nearData });
    expect((await readRun(run)).config).toMatchObject({ flow: config.flow });
  });

  it('must be handed over again, and be asked for', async () => {
    const runs = await temporaryFolder();
    const own = { runs, source, backend };
    const missing =
      /flow.objective: a custom objective is handed over by the program that trains\. Run, resume/;
    const { run } = await train(config, { ...own, objective: data, timeSampler: nearData });
    await expect(resume(run, { source, backend, timeSampler: nearData })).rejects.toThrow(missing);
    await expect(sample(run, { backend })).rejects.toThrow(missing);
    await expect(train(config, { ...own, objective: data })).rejects.toThrow(
      'flow.timeSampling: a custom time sampler is handed over',
    );
    await expect(train(tinyStripes, { ...own, objective: data })).rejects.toThrow(
      'flow.objective.kind: wanted custom, because the program hands over its own objective, found "rectified-flow"',
    );
    await expect(train(tinyStripes, { ...own, timeSampler: nearData })).rejects.toThrow(
      'flow.timeSampling.kind: wanted custom, because the program hands over its own time sampler, found "uniform"',
    );
  });

  it('needs a sampler that it has', async () => {
    const wrong = { ...config, sample: { sampler: 'ddim' } } as const;
    const own = { source, backend, objective: data, timeSampler: nearData };
    await expect(train(wrong, { runs: await temporaryFolder(), ...own })).rejects.toThrow(
      /sampler: must be one of euler, .*, those of data prediction, got "ddim"/,
    );
  });
});
