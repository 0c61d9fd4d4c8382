// Weights of LightningDiT, whose blocks are known by the names and shapes of what they have.
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { type ImportOptions, type StoredTensors, exportRun, importRun, readRun } from '../../src/index.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors-file.ts';
import { dataOf } from '../../src/known/data-record.ts';
import { DiT } from '../../src/models/dit.ts';
import type { BlockParts } from '../../src/models/dit-parts.ts';
import { latestCheckpoint, readCheckpointPart } from '../../src/runs/checkpoint.ts';
import { checkpointFolder } from '../../src/runs/run-folder.ts';
import type { ImageModel } from '../../src/train/settings.ts';
import { statistics } from '../sources/latents/sets.ts';
import { temporaryFolder } from '../support/cli.ts';
import { relativeError } from '../support/conformance.ts';
import { numbers } from '../support/golden.ts';
import { tinyDiT } from '../support/models.ts';
import { storedWeights } from '../support/stored-weights.ts';
import { velocityProgram } from '../support/velocity-program.ts';

const parts = { norm: 'rms', qkNorm: 'rms', mlp: 'swiglu', rotary: true, shifts: false } as const;
const weights = storedWeights(tinyDiT(parts));
const plain = { heads: 2, imageSize: [8, 12], convention: 'sit' } as const;

let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder();
});

let files = 0;
const newPath = (ending: string): string => join(folder, `${files++}${ending}`);

async function written(tensors: StoredTensors): Promise<string> {
  const path = newPath('.safetensors');
  await writeSafetensors(path, tensors);
  return path;
}

interface Result {
  readonly run: string;
  readonly model: ImageModel;
  readonly ema: StoredTensors;
  readonly notices: string;
}

async function imported(path: string, options: ImportOptions = {}): Promise<Result> {
  const notices: string[] = [];
  const onNotice = (notice: string): void => void notices.push(notice);
  const { run, model } = await importRun(path, { runs: newPath('-runs'), onNotice, ...options });
  const saved = await latestCheckpoint(checkpointFolder(run));
  return { run, model, ema: await readCheckpointPart(saved, 'ema'), notices: notices.join('\n') };
}

describe('parts are found', () => {
  const cases: readonly [told: string, parts: BlockParts][] = [
    ['RMS norms with weights', { norm: 'rms' }],
    ['RMS norms of queries and keys', { qkNorm: 'rms' }],
    ['layer norms of queries and keys', { qkNorm: 'layer' }],
    ['SwiGLU in place of the MLP', { mlp: 'swiglu' }],
    ['rotary positions', { rotary: true }],
    ['modulation without shifts', { shifts: false }],
  ];
  it.each(cases)('%s', async (told, own) => {
    const { model, notices } = await imported(await written(storedWeights(tinyDiT(own))), plain);
    expect(model).toMatchObject(own);
    expect(Object.keys(parts).filter((name) => model[name as keyof BlockParts] !== undefined)).toEqual(
      Object.keys(own),
    );
    expect(notices).toContain(`its blocks are those of LightningDiT: ${told}\n`);
  });

  it('and none in the public release of DiT', async () => {
    const { model, notices } = await imported(await written(storedWeights(tinyDiT())), plain);
    expect(Object.keys(parts).filter((name) => model[name as keyof BlockParts] !== undefined)).toEqual([]);
    expect(notices).not.toContain('LightningDiT');
  });
});

it('what was imported is exported under its names, bit for bit, and read again without options', async () => {
  const { run } = await imported(await written(weights), plain);
  const to = newPath('-exported.safetensors');
  await exportRun(run, { to });
  const { tensors } = await readSafetensors(to);
  expect(tensors).toEqual(weights);
  const again = await imported(to);
  expect(again.model).toMatchObject({ ...parts, heads: 2, reverseTime: true });
});

it('it has no form in diffusers', async () => {
  const square = storedWeights(tinyDiT({ rotary: true, imageSize: [8, 8] }));
  const { run } = await imported(await written(square), { heads: 2, convention: 'rectiflow' });
  const to = newPath('-diffusers');
  await expect(exportRun(run, { to, layout: 'diffusers' })).rejects.toThrow(
    'no form for a model that has parts of LightningDiT (rotary positions). Export it with --layout public',
  );
  expect(existsSync(to)).toBe(false);
});

describe('what is refused', () => {
  it('names that are missing or too many, all of them', async () => {
    const given = new Map(weights);
    given.delete('blocks.1.norm2.weight');
    given.set('blocks.0.attn.q_norm.bias', { dtype: 'F32', shape: [8], data: new Float32Array(8) });
    await expect(imported(await written(given), plain)).rejects.toThrow(
      /missing:[^]*blocks\.0\.attn\.k_norm\.bias[^]*blocks\.1\.norm2\.weight[^]*public release and LightningDiT are read/,
    );
  });

  it('angles of other frequencies', async () => {
    const name = 'feat_rope.freqs_sin';
    const { shape, data } = weights.get(name)!;
    const turned = (data as Float32Array).map((value) => value * 0.99);
    const given = new Map([...weights, [name, { dtype: 'F32', shape, data: turned }] as const]);
    await expect(imported(await written(given), plain)).rejects.toThrow(
      /feat_rope\.freqs_sin \[6, 8\] is another table than the fixed one/,
    );
  });
});

it('angles of another grid, or none at all, are computed', async () => {
  const other = storedWeights(tinyDiT({ ...parts, imageSize: [16, 12] }));
  const { ema } = await imported(await written(other), plain);
  for (const name of ['feat_rope.freqs_cos', 'feat_rope.freqs_sin'])
    expect(ema.get(name)).toEqual(weights.get(name));
  const cosines = new Map([...weights].filter(([name]) => name !== 'feat_rope.freqs_sin'));
  const half = await imported(await written(cosines), plain);
  expect(half.ema.get('feat_rope.freqs_sin')).toEqual(weights.get('feat_rope.freqs_sin'));
});

describe('latents_stats.pt', () => {
  it('says in what scale the model sees latents', async () => {
    const path = newPath('.pt');
    await writeFile(path, statistics([1, -2], [4, 0.5]));
    const { run } = await imported(await written(weights), { ...plain, latentStatistics: path });
    const { record } = dataOf(await latestCheckpoint(checkpointFolder(run)));
    expect(record).toEqual({ kind: 'latents', scale: [0.25, 2], shift: [1, -2] });
  });

  it('of other channels, or beside a scale, is refused', async () => {
    const path = newPath('.pt');
    await writeFile(path, statistics([1, 2, 3], [1, 1, 1]));
    const options = { ...plain, latentStatistics: path };
    await expect(imported(await written(weights), options)).rejects.toThrow(
      /\.pt: wanted a tensor "mean" with a number for each of 2 channels, found 3 numbers\. Give the one that the model/,
    );
    await expect(
      imported(await written(weights), { ...options, latents: { scale: 2, shift: 0 } }),
    ).rejects.toThrow('is given beside a scale of latents: it says one of each channel. Give one of the two');
  });
});

const golden = fileURLToPath(new URL('../../../shared/golden/dit-modern-tiny/', import.meta.url));
describe.skipIf(!existsSync(golden))('of its own code (skipped without ../shared)', () => {
  it.each([
    ['published/checkpoint.pt', 'published', {}],
    ['model.safetensors', '.', { convention: 'sit' }],
    ['layernorm/model.safetensors', 'layernorm', { convention: 'sit' }],
  ] as const)('%s has its velocity, turned', async (file, variant, options) => {
    const result = await imported(join(golden, file), { heads: 2, ...options });
    const model = new DiT(result.model);
    const { tensors: step } = await readSafetensors(join(golden, variant, 'step.safetensors'));
    const backend = referenceBackend();
    const buffers = new Map(
      model.parameters.map(({ name, shape }) => [name, backend.allocate({ shape, dtype: 'float32' })]),
    );
    for (const [name, buffer] of buffers) await buffer.write(numbers(result.ema, name));
    const executable = await backend.compile(velocityProgram(model, 1, false), buffers);
    for (let i = 0; i < 4; i++) {
      await executable.run({
        x: numbers(step, 'x', i),
        t: Float32Array.of(1 - numbers(step, 't')[i]!),
        labels: numbers(step, 'y').slice(i, i + 1),
      });
      const { velocity } = await executable.read(['velocity']);
      const wanted = numbers(step, 'velocity', i);
      expect(
        relativeError(
          velocity!,
          Float32Array.from(wanted, (value) => -value),
        ),
      ).toBeLessThan(1e-5);
    }
    await backend.dispose();
  });

  it('a checkpoint of its training tells the convention by its config', async () => {
    const { run, notices } = await imported(join(golden, 'published/checkpoint.pt'), { heads: 2 });
    expect((await readRun(run)).config).toMatchObject({ model: { reverseTime: true, timeScale: 1 } });
    expect(notices).toContain('the last layer is negated');
  });
});
