// What a run of an autoencoder leaves behind, and who reads it.
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openAutoencoder, readAutoencoder } from '../../src/api/autoencoder.ts';
import { encodeData } from '../../src/api/encode.ts';
import { exportRun } from '../../src/api/export/run.ts';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { holdOut } from '../../src/data/hold-out.ts';
import type { Source } from '../../src/data/source.ts';
import { latestCheckpoint, readCheckpointPart } from '../../src/runs/checkpoint.ts';
import { checkpointFolder } from '../../src/runs/run-folder.ts';
import type { StoredTensors } from '../../src/tensor/stored-tensor.ts';
import type { StepMetrics } from '../../src/train/metrics.ts';
import { rectiflow, temporaryFolder } from '../support/cli.ts';
import { pictures, tinyAutoencoder } from '../support/tiny-autoencoder.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

const backend = referenceBackend();
const files = ['config.json', 'diffusion_pytorch_model.safetensors'];
const short = { ...tinyAutoencoder, train: { ...tinyAutoencoder.train, steps: 4, logEvery: 2 } } as const;

const valuesOf = (tensors: StoredTensors): Record<string, number[]> =>
  Object.fromEntries([...tensors].map(([name, { data }]) => [name, Array.from(data as Float32Array)]));

async function weightsOf(run: string, part: 'ema' | 'model'): Promise<Record<string, number[]>> {
  return valuesOf(await readCheckpointPart(await latestCheckpoint(checkpointFolder(run)), part));
}

/** Of the latents of pictures, as they are drawn. */
async function deviationOf(path: string, source: Source = pictures()): Promise<number> {
  const { count } = source;
  const images = new Float32Array(count * 48);
  for (let i = 0; i < count; i++) await source.read(i, images, i * 48, { seed: 0, epoch: 0 });
  const opened = await openAutoencoder(path, { backend });
  const { mean, logVariance } = await opened.encode(images, [count, 1, 8, 6]);
  await opened.dispose();
  const middle = mean.reduce((sum, value) => sum + value, 0) / mean.length;
  const terms = Array.from(mean, (value, i) => (value - middle) ** 2 + Math.exp(logVariance![i]!));
  return Math.sqrt(terms.reduce((sum, value) => sum + value, 0) / mean.length);
}

const scaleOf = async (path: string): Promise<number> =>
  (JSON.parse(await readFile(join(path, 'config.json'), 'utf8')) as { scaling_factor: number })
    .scaling_factor;

async function trained(changes: ConfigInput = {}): Promise<string> {
  const runs = await temporaryFolder();
  return (await train({ ...short, ...changes }, { runs, backend, source: pictures() })).run;
}

describe('a run of an autoencoder that has ended', () => {
  it('has it in its folder, with averaged weights and the scale of its latents, for whoever reads autoencoders', async () => {
    const runs = await temporaryFolder();
    const { run, autoencoder } = await train(short, { runs, backend, source: pictures() });
    expect(autoencoder).toBe(join(run, 'autoencoder'));
    const read = await readAutoencoder(run);
    expect(valuesOf(read.weights)).toEqual(await weightsOf(run, 'ema'));
    expect(read.config).toMatchObject({ blockOutChannels: [4, 8], latentChannels: 2, quantConv: false });
    expect(read.autoencoder.factor).toBe(2);
    const scale = await scaleOf(autoencoder!);
    expect(scale * (await deviationOf(run))).toBeCloseTo(1, 3);
    expect(read.autoencoder.scaling).toEqual({ scale, shift: 0 });
  });

  it('measures the scale on pictures that are trained on, and has it anew after more steps', async () => {
    const heldOut = { count: 11, every: 100 };
    const run = await trained({ heldOut });
    const scale = await scaleOf(join(run, 'autoencoder'));
    const { trained: seen, heldOut: unseen } = holdOut(pictures(), heldOut.count, 0);
    expect(scale * (await deviationOf(run, seen))).toBeCloseTo(1, 3);
    expect(scale * (await deviationOf(run, unseen))).not.toBeCloseTo(1, 3);
    const file = join(run, 'config.json');
    const record = JSON.parse(await readFile(file, 'utf8')) as { config: { train: { steps: number } } };
    record.config.train.steps = 6;
    await writeFile(file, JSON.stringify(record));
    // What a crash has left.
    await mkdir(join(run, 'autoencoder.partial'));
    await writeFile(join(run, 'autoencoder.partial', 'vae.json'), '');
    await resume(run, { backend, source: pictures() });
    expect(await scaleOf(join(run, 'autoencoder'))).not.toBe(scale);
    expect(valuesOf((await readAutoencoder(run)).weights)).toEqual(await weightsOf(run, 'ema'));
    expect((await readdir(run)).filter((name) => name.startsWith('autoencoder'))).toEqual(['autoencoder']);
    expect((await readdir(join(run, 'autoencoder'))).toSorted()).toEqual(files);
  });

  it('encodes pictures, in whose latents a velocity is trained', async () => {
    const run = await trained();
    const folder = join(await temporaryFolder(), 'latents');
    const data = { source: 'custom' } as const;
    const manifest = await encodeData({ data }, folder, { autoencoder: run, backend, source: pictures() });
    expect(manifest).toMatchObject({ count: 23, settings: { shape: [2, 4, 3] } });
    const scale = await scaleOf(join(run, 'autoencoder'));
    expect(manifest.settings.autoencoder.scaling).toEqual({ scale, shift: 0 });
    const model = { width: 8, depth: 1, heads: 1, patchSize: 1 };
    const config: ConfigInput = {
      data: { source: 'latents', path: folder },
      model,
      train: { steps: 2, batchSize: 4, sampleEvery: 0 },
      sample: { steps: 1, perClass: 1 },
    };
    const { finished } = await train(config, { runs: await temporaryFolder(), backend });
    expect(finished).toBe(true);
  });
});

describe('there is no autoencoder to read', () => {
  it('in a run that has not ended, which says how to go on', async () => {
    const stop = new AbortController();
    const runs = await temporaryFolder();
    const onStep = ({ step }: StepMetrics): void => void (step === 2 && stop.abort());
    const options = { runs, backend, source: pictures(), onStep, signal: stop.signal };
    const { run, autoencoder } = await train(short, options);
    expect(autoencoder).toBeUndefined();
    await expect(readAutoencoder(run)).rejects.toThrow(
      `${run}: has no autoencoder/ in it. It is written when the run ends. Go on with it: rectiflow resume ${run}`,
    );
  });

  it('in a run of another model', async () => {
    const { run } = await train(tinyStripes, { runs: await temporaryFolder(), backend, source: stripes() });
    await expect(readAutoencoder(run)).rejects.toThrow(
      'has no autoencoder/ in it. Give the folder of a run of model.kind autoencoder',
    );
  });
});

describe('an autoencoder is exported', () => {
  it('with the weights that are asked for, and their scale', async () => {
    const run = await trained();
    const to = join(await temporaryFolder(), 'vae');
    const notices: string[] = [];
    await exportRun(run, {
      to,
      weights: 'model',
      backend,
      source: pictures(),
      onNotice: (text) => notices.push(text),
    });
    expect((await readdir(to)).toSorted()).toEqual(files);
    expect(valuesOf((await readAutoencoder(to)).weights)).toEqual(await weightsOf(run, 'model'));
    const scale = await scaleOf(to);
    expect(scale * (await deviationOf(to))).toBeCloseTo(1, 3);
    expect(notices).toContain(
      `scaling_factor is ${scale}: 1 over the deviation of the latents of pictures that it was trained on`,
    );
  });

  it('in no other layout, over nothing that is there, and not without its data', async () => {
    const run = await trained();
    const options = { backend, source: pictures() };
    const to = join(await temporaryFolder(), 'vae');
    await expect(exportRun(run, { ...options, to, layout: 'onnx' })).rejects.toThrow(
      'export: layout must be diffusers: others have no form for an autoencoder, got onnx',
    );
    await expect(exportRun(run, { ...options, to: run })).rejects.toThrow('is there already');
    await expect(exportRun(run, { to, backend })).rejects.toThrow(/custom/);
    await rm(join(run, 'checkpoints'), { recursive: true });
    await expect(exportRun(run, { ...options, to })).rejects.toThrow('checkpoint');
  });
});

it('the command line says what was made, and what to do with it', async () => {
  const folder = await temporaryFolder();
  const config = {
    data: { source: 'digits', split: 'test', pad: 2 },
    model: { kind: 'autoencoder', blockOutChannels: [2, 2], normGroups: 2, latentChannels: 1 },
    train: { steps: 1, batchSize: 2 },
    sample: { perClass: 2 },
    backend: { name: 'reference' },
  };
  await writeFile(join(folder, 'ae.json'), JSON.stringify(config));
  const { stdout, code } = await rectiflow(folder, ['train', 'ae.json']);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^told {5}nothing: it learns pictures alone, and not their labels \(10 classes\)$/m);
  expect(stdout).toMatch(/^ {2}loss {8}reconstruction [\d.e-]+, KL [\d.e-]+$/m);
  expect(stdout).toMatch(/^ {2}autoencoder runs\/ae\/autoencoder$/m);
  const next = 'Encode pictures:  npx rectiflow data encode <config> --autoencoder runs/ae --out latents';
  expect(stdout).toContain(next);
  expect(stdout).not.toContain('how they come out of the noise');
  const info = await rectiflow(folder, ['info', 'runs/ae']);
  expect(info.stdout).toContain(next);
  expect(info.stdout).toMatch(/^ {2}autoencoder {2}levels of 2, 2 channels, latents 16x16x1$/m);
});
