import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { type ImportOptions, importRun, readRun, resume, sample } from '../../src/index.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { latestCheckpoint, readCheckpointPart } from '../../src/runs/checkpoint.ts';
import { toDiffusers } from '../../src/interop/diffusers.ts';
import { checkpointFolder } from '../../src/runs/run-folder.ts';
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors-file.ts';
import type { StoredTensor, StoredTensors } from '../../src/tensor/stored-tensor.ts';
import { velocityProgram } from '../support/velocity-program.ts';
import { DiT } from '../../src/models/dit.ts';
import type { ImageModel } from '../../src/train/settings.ts';
import { temporaryFolder } from '../support/cli.ts';
import { tinyDiT } from '../support/models.ts';
import { randomValues } from '../support/random.ts';
import { storedWeights } from '../support/stored-weights.ts';
import { stripes } from '../support/tiny-run.ts';
import { bytes, call, dict, global, pickle, tensor, text, torchArchive } from '../support/torch-archive.ts';

const model = tinyDiT();
const plain = { heads: 2, imageSize: [8, 12], convention: 'rectiflow' } as const;
let weights: Map<string, StoredTensor>;
let folder: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  weights = storedWeights(model);
});

let files = 0;
const newPath = (ending: string): string => join(folder, `weights-${files++}${ending}`);

async function written(tensors: StoredTensors, metadata?: Record<string, string>): Promise<string> {
  const path = newPath('.safetensors');
  await writeSafetensors(path, tensors, metadata);
  return path;
}

interface Result {
  readonly run: string;
  readonly config: ImageModel;
  readonly weights: StoredTensors;
  readonly ema: StoredTensors;
  readonly notices: string[];
}

async function imported(path: string, options: ImportOptions = {}): Promise<Result> {
  const notices: string[] = [];
  const onNotice = (notice: string): void => void notices.push(notice);
  const { run, model: config } = await importRun(path, { runs: join(folder, 'runs'), onNotice, ...options });
  const saved = await latestCheckpoint(checkpointFolder(run));
  const [own, ema] = [await readCheckpointPart(saved, 'model'), await readCheckpointPart(saved, 'ema')];
  return { run, config, weights: own, ema, notices };
}

/** The velocity of random images at t = 0.3. */
async function velocity(dit: DiT, tensors: StoredTensors, t = 0.3): Promise<number[]> {
  const backend = referenceBackend();
  const buffers = new Map(
    dit.parameters.map(({ name, shape }) => [name, backend.allocate({ shape, dtype: 'float32' })]),
  );
  for (const [name, buffer] of buffers) await buffer.write(tensors.get(name)!.data as Float32Array);
  const executable = await backend.compile(velocityProgram(dit, 1, false), buffers);
  const x = Float32Array.from(randomValues(2 * 8 * 12, 3));
  await executable.run({ x, t: Float32Array.of(t), labels: Int32Array.of(1) });
  return [...(await executable.read(['velocity'])).velocity];
}

describe('public names', () => {
  it('become a run that can be sampled from at once', async () => {
    const result = await imported(await written(weights), { ...plain, name: 'mine' });
    expect(result.run).toBe(join(folder, 'runs', 'mine'));
    expect(result.config).toMatchObject({ width: 16, depth: 2, patchSize: 4, channels: 2, classes: 3 });
    expect(result.config).toMatchObject({ timeScale: 1000, reverseTime: false, imageSize: [8, 12] });
    expect(new Map(result.weights)).toEqual(weights);
    expect(new Map(result.ema)).toEqual(weights);
    const notices: string[] = [];
    const options = { count: 2, steps: 2, labels: [1], backend: referenceBackend() };
    const samples = await sample(result.run, { ...options, onNotice: (said) => notices.push(said) });
    expect(notices.join()).not.toContain('average');
    expect(samples.values).toHaveLength(2 * 2 * 8 * 12);
    expect(samples.values.every(Number.isFinite)).toBe(true);
    expect(samples.step).toBe(0);
  });

  it('may have prefixes, lack the table and be of another dtype', async () => {
    const given = new Map<string, StoredTensor>();
    for (const [name, { shape, data }] of weights) {
      if (name !== 'pos_embed')
        given.set(`module._orig_mod.${name}`, {
          dtype: 'F64',
          shape,
          data: Float64Array.from(data as Float32Array),
        });
    }
    const result = await imported(await written(given), plain);
    expect(new Map(result.weights)).toEqual(weights);
    expect(result.notices).toEqual([
      'F64 becomes F32',
      'the positional table is not in the file: it is computed',
    ]);
  });

  it('of SiT with a learnt sigma have our velocity', async () => {
    const sit = tinyDiT({ timeScale: 1 });
    const given = new Map(weights);
    for (const kind of ['weight', 'bias']) {
      const { shape, data } = given.get(`final_layer.linear.${kind}`)!;
      // A pixel's two channels, then the two of its sigma.
      const length = (2 * data.length) / shape[0]!;
      const doubled = new Float32Array(2 * data.length).fill(9);
      for (let at = 0; at < data.length; at += length)
        doubled.set((data as Float32Array).subarray(at, at + length), 2 * at);
      given.set(`final_layer.linear.${kind}`, {
        dtype: 'F32',
        shape: [2 * shape[0]!, ...shape.slice(1)],
        data: doubled,
      });
    }
    const result = await imported(await written(given), { ...plain, convention: 'sit' });
    expect(result.config).toMatchObject({ timeScale: 1, reverseTime: true });
    expect(result.notices.join('\n')).toMatch(/learnt sigma, is dropped[^]*negated[^]*fed 1 - t/);
    const ours = await velocity(new DiT(result.config), result.weights);
    const theirs = await velocity(sit, weights, 1 - 0.3);
    theirs.forEach((value, i) => expect(ours[i]).toBeCloseTo(-value, 5));
    const { config } = await readRun(result.run);
    expect(config).toMatchObject({ model: { reverseTime: true, timeScale: 1 } });
  });

  it('of DiT make a run of DDPM, unless a config says otherwise', async () => {
    const result = await imported(await written(weights), { ...plain, convention: 'ddpm' });
    expect(result.config).toMatchObject({ timeScale: 1000, reverseTime: false });
    expect(result.notices.join()).toMatch(/predict noise, not a velocity/);
    expect((await readRun(result.run)).config).toMatchObject({ flow: { objective: { kind: 'ddpm' } } });
    const config = { flow: { objective: { kind: 'rectified-flow' } } } as const;
    const { run } = await imported(await written(weights), { ...plain, convention: 'ddpm', config });
    expect((await readRun(run)).config).toMatchObject({ sample: { sampler: 'euler' } });
  });
});

describe("PyTorch's training checkpoints", () => {
  async function checkpoint(args: Record<string, Buffer>): Promise<string> {
    const storages: Record<string, Uint8Array> = {};
    const set = (prefix: string, factor: number): Buffer =>
      dict(
        Object.fromEntries(
          [...weights].map(([name, { shape, data }], i) => {
            const key = `${prefix}${i}`;
            const scale = name === 'pos_embed' ? 1 : factor;
            storages[key] = new Uint8Array((data as Float32Array).map((value) => scale * value).buffer);
            const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
            return [name, tensor({ key, elements: data.length, shape, strides })];
          }),
        ),
      );
    const namespace = Buffer.concat([
      global('argparse', 'Namespace'),
      Buffer.from(')'),
      bytes(0x81),
      dict(args),
      Buffer.from('b'),
    ]);
    const all = dict({ model: set('m', 1), ema: set('e', 2), opt: dict({}), args: namespace });
    const path = newPath('.pt');
    await writeFile(path, torchArchive(pickle(all), storages));
    return path;
  }

  it('give both sets of weights, or the one that is asked for', async () => {
    const path = await checkpoint({ model: text('SiT-tiny/4') });
    const options = { heads: 2, imageSize: [8, 12] } as const;
    const both = await imported(path, options);
    const [half, whole] = [both.weights, both.ema].map(
      (set) => set.get('blocks.0.mlp.fc1.bias')!.data as Float32Array,
    );
    expect(whole).toEqual(half!.map((value) => 2 * value));
    expect(both.config.reverseTime).toBe(true);
    const ema = await imported(path, { ...options, weights: 'ema' });
    expect(ema.weights).toEqual(both.ema);
    expect(ema.ema).toEqual(both.ema);
    const raw = await imported(path, { ...options, weights: 'model' });
    expect(raw.ema).toEqual(both.weights);
  });

  const golden = fileURLToPath(new URL('../../../shared/golden/dit-tiny/', import.meta.url));
  it.skipIf(!existsSync(golden))(
    'of PyTorch itself are read (skipped where there is no ../shared)',
    async () => {
      const path = `${golden}public-layout.pt`;
      const result = await imported(path, { heads: 2, convention: 'rectiflow', weights: 'model' });
      const wanted = await readSafetensors(`${golden}model.safetensors`);
      expect(new Map(result.weights)).toEqual(wanted.tensors);
      expect(result.config).toMatchObject({ width: 64, depth: 3, imageSize: [16, 16], classes: 10 });
    },
  );
});

describe("diffusers' folders", () => {
  const square = tinyDiT({ imageSize: [8, 8] });
  const config = { _class_name: 'DiTTransformer2DModel', num_attention_heads: 2, sample_size: 8 };

  async function writtenFolder(tensors: StoredTensors, inner = ''): Promise<string> {
    const path = newPath('');
    await mkdir(join(path, inner), { recursive: true });
    await writeFile(join(path, inner, 'config.json'), JSON.stringify(config));
    await writeSafetensors(join(path, inner, 'diffusion_pytorch_model.safetensors'), tensors);
    return path;
  }

  it.each(['', 'transformer'])('are read, also in a pipeline (%j)', async (inner) => {
    const tensors = storedWeights(square);
    const result = await imported(await writtenFolder(toDiffusers(tensors, 2), inner));
    expect(result.weights).toEqual(new Map([...tensors].toSorted(([a], [b]) => (a < b ? -1 : 1))));
    expect(result.config).toMatchObject({ heads: 2, imageSize: [8, 8], timeScale: 1000 });
    expect(result.notices.join('\n')).toMatch(/slightly other frequencies[^]*predict noise/);
  });

  it('whose embedders differ between the blocks are refused', async () => {
    const tensors = new Map(toDiffusers(storedWeights(square), 2));
    const name = 'transformer_blocks.1.norm1.emb.timestep_embedder.linear_1.bias';
    const { shape, data } = tensors.get(name)!;
    tensors.set(name, { dtype: 'F32', shape, data: (data as Float32Array).map((value) => value + 1) });
    await expect(imported(await writtenFolder(tensors))).rejects.toThrow(
      new RegExp(`embedders of time and class differ between the blocks.*${name}\\. `),
    );
  });

  it('that lack a part of the attention are refused with all that is wrong', async () => {
    const tensors = new Map(toDiffusers(storedWeights(square), 2));
    tensors.delete('transformer_blocks.1.attn1.to_k.weight');
    await expect(imported(await writtenFolder(tensors))).rejects.toThrow(
      /missing:\n +blocks\.1\.attn\.qkv\.weight\n +unexpected:\n +transformer_blocks\.1\.attn1\.to_q\.weight\n +transformer_blocks\.1\.attn1\.to_v\.weight/,
    );
  });
});

describe('what cannot be imported', () => {
  it('is named: all that is missing, unexpected and of another shape', async () => {
    const given = new Map(weights);
    given.delete('t_embedder.mlp.0.bias');
    given.delete('blocks.1.mlp.fc2.weight');
    given.set('blocks.0.attn.norm.weight', weights.get('blocks.0.attn.proj.bias')!);
    given.set('blocks.0.attn.proj.bias', { dtype: 'F32', shape: [4], data: new Float32Array(4) });
    await expect(imported(await written(given), plain)).rejects.toThrow(
      /does not fit a DiT of width 16, depth 2 and 3 classes:\n {2}missing:\n {4}t_embedder\.mlp\.0\.bias\n {4}blocks\.1\.mlp\.fc2\.weight\n {2}unexpected:\n {4}blocks\.0\.attn\.norm\.weight\n {2}of another shape:\n {4}blocks\.0\.attn\.proj\.bias \[4\], wanted \[16\]\n/,
    );
  });

  it.each([
    [
      'heads',
      { heads: undefined },
      /does not tell how many attention heads.*--heads, a divisor of the width 16/,
    ],
    [
      'the convention',
      { convention: undefined },
      /does not tell what its model was trained to say.*--convention[^]*sit: data - noise/,
    ],
    [
      'the image size',
      { imageSize: undefined },
      /table of 6 tokens, no square: its image size cannot be told.*--image-size/,
    ],
    ['a divisor', { heads: 3 }, /heads must be a divisor of the width 16/],
    ['weights that there are', { weights: 'ema' }, /has no weights named ema, only model/],
    ['a name for a folder', { name: '../x' }, /name: wanted letters, digits/],
  ] as const)('is asked for: %s', async (_, change, message) => {
    await expect(
      imported(await written(weights), { ...plain, ...(change as ImportOptions) }),
    ).rejects.toThrow(message);
  });

  it('for lack of a DiT is refused', async () => {
    const other = new Map([['conv.weight', weights.get('blocks.0.attn.proj.bias')!]]);
    await expect(imported(await written(other), plain)).rejects.toThrow(
      /is no DiT: it has no x_embedder\.proj\.weight.*conv\.weight/,
    );
    await expect(imported(join(folder, 'nothing.pt'), plain)).rejects.toThrow(/nothing\.pt: no such file/);
    await expect(imported(folder, plain)).rejects.toThrow(
      /has no config\.json beside diffusion_pytorch_model/,
    );
  });

  it('because tensors share memory many times over is refused', async () => {
    const shared = tensor({ elements: 1000, shape: [1000], strides: [1] });
    const many = dict(Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`x${i}`, shared])));
    const path = newPath('.pt');
    await writeFile(path, torchArchive(pickle(many), { 0: new Uint8Array(4000) }));
    await expect(imported(path, plain)).rejects.toThrow(/tensors of 40000 bytes that share 4000 bytes/);
  });

  it('by a call in the pickle is refused before anything is made', async () => {
    const path = newPath('.pt');
    await writeFile(path, torchArchive(pickle(call(global('os', 'system'), text('true')))));
    await expect(imported(path, { ...plain, name: 'harm' })).rejects.toThrow(/"os\.system"/);
    expect(existsSync(join(folder, 'runs', 'harm'))).toBe(false);
  });
});

describe('an imported run', () => {
  it('trains on where there are data, and says what it begins with', async () => {
    const train = { steps: 3, batchSize: 4, logEvery: 1, sampleEvery: 0, checkpointEvery: 0 };
    const small = tinyDiT({ channels: 1 });
    const path = await written(storedWeights(small));
    const { run } = await imported(path, { ...plain, config: { train } });
    const notices: string[] = [];
    const onNotice = (notice: string): void => void notices.push(notice);
    const result = await resume(run, { source: stripes(), backend: referenceBackend(), onNotice });
    expect(result).toMatchObject({ step: 3, finished: true });
    expect(notices.join()).toMatch(
      /begins with the imported weights; the moments of the optimizer start at zero/,
    );
  });

  it('without data says how to give it some', async () => {
    const { run } = await imported(await written(weights), plain);
    await expect(resume(run, { backend: referenceBackend() })).rejects.toThrow(
      /was imported without data to train on\. Import the weights again with --config/,
    );
  });
});
