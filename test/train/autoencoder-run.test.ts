// A run of an autoencoder, from its config to what it shows.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { diagnose } from '../../src/api/doctor/diagnose.ts';
import { replay } from '../../src/api/replay.ts';
import { sample } from '../../src/api/sample.ts';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { prepareTraining } from '../../src/runner/prepare-run.ts';
import { compareObjectives } from '../../src/report/compare-objectives.ts';
import type { AutoencoderModel } from '../../src/models/autoencoder-model.ts';
import { reconstructionProgram } from '../../src/train/autoencoder-task.ts';
import { createModel } from '../../src/train/create-model.ts';
import { HeldOut } from '../../src/train/held-out.ts';
import type { StepMetrics } from '../../src/train/metrics.ts';
import { averagedWeights } from '../../src/train/state.ts';
import { temporaryFolder } from '../support/cli.ts';
import { pictures, tinyAutoencoder } from '../support/tiny-autoencoder.ts';
import { checkpointBytes, stripes, tinyStripes } from '../support/tiny-run.ts';

const backend = referenceBackend();
const config: ConfigInput = tinyAutoencoder;
const changed = (changes: ConfigInput): ConfigInput => ({
  ...tinyAutoencoder,
  ...changes,
  model: { ...tinyAutoencoder.model, ...changes.model },
});

describe('a config of an autoencoder', () => {
  const resolved = (changes: ConfigInput) => () => resolveConfig(changed(changes), { facts: pictures() });

  it('is refused where its factor does not divide the pictures, with the sizes that fit', () => {
    expect(resolved({ model: { blockOutChannels: [4, 8, 8] } })).toThrow(
      'size of a picture must be multiples of 4 on both sides; nearest are 8x4 and 8x8, got 8x6',
    );
  });

  it('is refused where its groups divide no level', () => {
    expect(resolved({ model: { blockOutChannels: [4, 9] } })).toThrow(
      'blockOutChannels must be multiples of normGroups = 2, got 9',
    );
  });

  it('is refused for pictures of other channels than it says', () => {
    expect(resolved({ model: { channels: 3 } })).toThrow(
      'images are [C, H, W] = [1, 8, 6], the model is made for [3, 8, 6]. Set model.channels and model.imageSize',
    );
  });

  it('is refused for samples that are no pictures', () => {
    const cells = { name: 'cells', count: 9, shape: [10], record: { kind: 'expression' } };
    expect(() => resolveConfig(config, { facts: cells })).toThrow(/model\.(channels|imageSize)|autoencoder/);
  });

  it('names all that it has no use for', () => {
    const flow = {
      timeSampling: { kind: 'logit-normal' },
      objective: { kind: 'ddpm' },
      labelDropout: 0.1,
    } as const;
    const attempt = resolved({ flow, sample: { steps: 10, sampler: 'heun', labels: [0], prompts: ['cat'] } });
    const names = [
      'flow.timeSampling',
      'flow.objective',
      'flow.labelDropout',
      'sample.steps',
      'sample.sampler',
    ];
    for (const name of names)
      expect(attempt).toThrow(
        `${name}: an autoencoder learns no velocity, and has no use for it. Leave it out`,
      );
    expect(attempt).toThrow('sample.labels.0: wanted no labels: the model has no classes, found 0');
    expect(attempt).toThrow('sample.prompts: wanted no captions: the model takes none');
    expect(resolved({ model: { text: { length: 4 } } })).toThrow(
      'model.text: no setting of the model autoencoder',
    );
    expect(resolved({ sample: { guidance: 3 } })).toThrow(
      'sample.guidance: an autoencoder learns no velocity',
    );
  });

  it('is whole once it is resolved', () => {
    const whole = resolved({})();
    expect(resolveConfig(whole as ConfigInput, { facts: pictures() })).toEqual(whole);
    expect(() => createModel(whole.model)).toThrow(
      'model.kind: wanted one that says a velocity, found "autoencoder"',
    );
  });
});

/** Of a step that learns grey pictures. */
const stepInputs = ({ step = 1, learningRate }: { step?: number; learningRate: number }) => ({
  x0: new Float32Array(5 * 48).fill(0.25),
  step: Int32Array.of(step),
  firstSample: Int32Array.of(0),
  update: Int32Array.of(1),
  learningRate: Float32Array.of(learningRate),
  emaWeight: Float32Array.of(0.5),
});

const heldOut = { count: 6, every: 4 };

describe('a run of an autoencoder', () => {
  it('learns pictures, and logs what its loss is made of and how far held-out ones are from theirs', async () => {
    const runs = await temporaryFolder();
    const logged: StepMetrics[] = [];
    const told: string[] = [];
    const options = { runs, backend, source: pictures(), onStep: (step: StepMetrics) => logged.push(step) };
    await train(
      changed({
        heldOut,
        model: { klWeight: 0.02 },
        train: { ...tinyAutoencoder.train, steps: 40, logEvery: 1 },
        optimizer: { learningRate: 5e-3, warmupSteps: 0 },
      }),
      {
        ...options,
        onStart: (start) => told.push(start.told),
      },
    );
    expect(told).toEqual(['nothing: it learns pictures alone, and not their labels (2 classes)']);
    expect(logged.at(-1)!.loss).toBeLessThan(0.5 * logged[0]!.loss);
    for (const { loss, lossParts, lossByTime } of logged) {
      expect(loss).toBeCloseTo(lossParts!.reconstruction + 0.02 * lossParts!.kl, 5);
      expect(lossByTime).toBeUndefined();
    }
    const { heldOutL1, heldOutPsnr, heldOutLossEma } = logged.at(-1)!;
    expect(heldOutL1).toBeLessThan(heldOutLossEma!);
    const { records } = await readMetrics(join(runs, 'autoencoder', 'metrics.jsonl'));
    expect(records.at(-1)).toMatchObject({ lossParts: logged.at(-1)!.lossParts, heldOutPsnr });
  });

  it('is measured of each held-out picture by what averaged weights make of the mean of its latent', async () => {
    // More than a batch, and no multiple of it.
    const count = 7;
    const resolvedConfig = resolveConfig(changed({ heldOut: { count } }), { facts: pictures() });
    const training = await prepareTraining({ config: resolvedConfig, backend, source: pictures() });
    const { model, buffers, split, executable } = training;
    // Weights and averages that differ.
    await executable.run(stepInputs({ learningRate: 0.05 }));
    const measured = await HeldOut.compile({ ...training, split: split! });
    const { heldOutL1, heldOutPsnr } = await measured.evaluate();
    await measured.dispose();
    const program = reconstructionProgram(model as AutoencoderModel, [count, 1, 8, 6]);
    const averages = await backend.compile(program, averagedWeights(model, buffers));
    const x0 = new Float32Array(count * 48);
    for (let i = 0; i < count; i++) await split!.heldOut.read(i, x0, i * 48, { seed: 0, epoch: 0 });
    await averages.run({ x0 });
    const { pictures: made } = await averages.read(['pictures']);
    let [errors, decibels] = [0, 0];
    for (let i = 0; i < count; i++) {
      let squares = 0;
      for (let j = 48 * i; j < 48 * (i + 1); j++) {
        errors += Math.abs(made![j]! - x0[j]!) / (48 * count);
        squares += (Math.min(1, Math.max(-1, made![j]!)) - x0[j]!) ** 2 / 48;
      }
      decibels += (20 * Math.log10(2 / Math.sqrt(squares))) / count;
    }
    expect(heldOutL1).toBeCloseTo(errors, 6);
    expect(heldOutPsnr).toBeCloseTo(decibels, 5);
  });

  it('goes on to the same bits after a stop, and does steps again with the same losses', async () => {
    const [whole, stopped] = [await temporaryFolder(), await temporaryFolder()];
    const input = changed({ heldOut, train: { ...tinyAutoencoder.train, microBatch: 2 } });
    await train(input, { runs: whole, backend, source: pictures() });
    const stop = new AbortController();
    const onStep = ({ step }: StepMetrics): void => void (step === 4 && stop.abort());
    const first = await train(input, {
      runs: stopped,
      backend,
      source: pictures(),
      signal: stop.signal,
      onStep,
    });
    expect(first.finished).toBe(false);
    await resume(first.run, { backend, source: pictures() });
    expect(await checkpointBytes(first.run, 12)).toEqual(
      await checkpointBytes(join(whole, 'autoencoder'), 12),
    );
    const { steps } = await replay(first.run, 1, 12, { backend, source: pictures() });
    expect(steps.map(({ step, isEqual }) => [step, isEqual])).toEqual([
      [1, true],
      [4, true],
      [8, true],
      [12, true],
    ]);
  });

  it('draws the noise of latents by seed, step and sample, however a step is divided', async () => {
    const lossOf = async (changes: ConfigInput, step = 1): Promise<number> => {
      const resolvedConfig = resolveConfig(changed(changes), { facts: pictures() });
      const { executable } = await prepareTraining({ config: resolvedConfig, backend, source: pictures() });
      await executable.run(stepInputs({ step, learningRate: 0 }));
      return (await executable.read(['loss'])).loss[0]!;
    };
    const whole = await lossOf({});
    expect(await lossOf({ train: { ...tinyAutoencoder.train, microBatch: 2 } })).toBeCloseTo(whole, 6);
    expect(await lossOf({ seed: 1 })).not.toBeCloseTo(whole, 6);
    expect(await lossOf({}, 2)).not.toBeCloseTo(whole, 6);
  });

  it('can be looked at by doctor', async () => {
    const checks = await diagnose(changed({ backend: { name: 'reference' } }), {
      backend,
      source: pictures(),
    });
    expect(checks.filter(({ status }) => status === 'fail')).toEqual([]);
    expect(checks.find(({ name }) => name === 'one batch')?.text).toMatch(
      /the loss on a single batch goes from/,
    );
  });

  it('makes nothing out of noise: sample and compare ddpm say so', async () => {
    const runs = await temporaryFolder();
    const { run } = await train(config, { runs, backend, source: pictures() });
    await expect(sample(run, { backend })).rejects.toThrow(
      `${run}: its model is an autoencoder, which makes nothing out of noise. Encode pictures with it: rectiflow data encode`,
    );
    await expect(compareObjectives(config, { runs, backend, source: pictures() })).rejects.toThrow(
      'flow.objective: an autoencoder learns no velocity',
    );
  });
});

it('a velocity is told of parts of its loss by times alone', async () => {
  const runs = await temporaryFolder();
  const { metrics } = await train(tinyStripes, { runs, backend, source: stripes() });
  expect(metrics!.lossByTime).toHaveLength(4);
  expect(metrics!.lossParts).toBeUndefined();
});
