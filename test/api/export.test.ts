import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type ExportOptions, arraySource, exportRun, importRun, train } from '../../src/index.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { latestCheckpoint, readCheckpointPart } from '../../src/runs/checkpoint.ts';
import { checkpointFolder } from '../../src/runs/run-folder.ts';
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors-file.ts';
import type { StoredTensors } from '../../src/tensor/stored-tensor.ts';
import { temporaryFolder } from '../support/cli.ts';
import { tinyDiT } from '../support/models.ts';
import { storedWeights } from '../support/stored-weights.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

const blank = arraySource({
  name: 'blank',
  images: new Float32Array(6 * 64),
  shape: [1, 8, 8],
  labels: [0, 1, 2, 0, 1, 2],
});
let folder: string;
let trained: string;
let sit: string;
let diffusion: string;
let stretched: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  const runs = join(folder, 'runs');
  const model = { ...tinyStripes.model, imageSize: [8, 12] } as const;
  ({ run: trained } = await train(
    { ...tinyStripes, model },
    { runs, source: stripes(), backend: referenceBackend() },
  ));
  ({ run: diffusion } = await train(
    { ...tinyStripes, model: { ...model, imageSize: [8, 8] }, flow: { objective: { kind: 'ddpm' } } },
    { runs, source: blank, backend: referenceBackend() },
  ));
  const positions = { positions: 'stretched', positionGrid: [1, 1] } as const;
  ({ run: stretched } = await train(
    { ...tinyStripes, model: { ...model, imageSize: [8, 8], ...positions } },
    { runs, source: blank, backend: referenceBackend() },
  ));
  const path = join(folder, 'sit.safetensors');
  await writeSafetensors(path, storedWeights(tinyDiT({ imageSize: [8, 8] })));
  ({ run: sit } = await importRun(path, { runs, heads: 2, convention: 'sit' }));
});

let files = 0;
const newPath = (): string => join(folder, `exported-${files++}`);

async function weightsOf(run: string, part: 'model' | 'ema'): Promise<StoredTensors> {
  return readCheckpointPart(await latestCheckpoint(checkpointFolder(run)), part);
}

async function exported(
  run: string,
  options: Partial<ExportOptions> = {},
): Promise<{ to: string; notices: string[] }> {
  const to = newPath();
  const notices: string[] = [];
  await exportRun(run, { to, onNotice: (notice) => void notices.push(notice), ...options });
  return { to, notices };
}

describe('what was exported is imported again, bit for bit, without being told anything', () => {
  it.each([
    ['a trained run', 'public', () => trained],
    ["SiT's weights", 'public', () => sit],
    ["SiT's weights", 'diffusers', () => sit],
    ['a run with stretched positions', 'public', () => stretched],
    ['a run of DDPM', 'public', () => diffusion],
    ['a run of DDPM', 'diffusers', () => diffusion],
  ] as const)('%s, %s', async (_, layout, run) => {
    for (const weights of ['ema', 'model'] as const) {
      const { to } = await exported(run(), { layout, weights });
      const again = await importRun(to, { runs: join(folder, 'again') });
      expect(await weightsOf(again.run, 'model')).toEqual(await weightsOf(run(), weights));
      expect(again.model).toEqual(
        JSON.parse(await readFile(join(run(), 'config.json'), 'utf8')).config.model,
      );
    }
  });
});

it('the public layout has the public names, and says what its model predicts', async () => {
  const { to, notices } = await exported(trained);
  const { tensors, metadata } = await readSafetensors(to);
  expect([...tensors.keys()]).toContain('blocks.0.adaLN_modulation.1.weight');
  expect(tensors.get('pos_embed')!.shape).toEqual([1, 6, 16]);
  expect(metadata).toMatchObject({ format: 'pt', convention: 'rectiflow' });
  expect(JSON.parse(metadata['model']!)).toMatchObject({ heads: 2, timeScale: 1000 });
  expect(notices).toEqual(['the model predicts noise - data, with the noise at t = 1, and is fed 1000 t']);
});

it('a run of DDPM says that its model predicts the noise, and is one again', async () => {
  const { to, notices } = await exported(diffusion);
  expect((await readSafetensors(to)).metadata).toMatchObject({ convention: 'ddpm' });
  expect(notices.join()).toMatch(/predicts the noise of DDPM, and is fed 1000 times/);
  const { run } = await importRun(to, { runs: join(folder, 'again') });
  expect(await readFile(join(run, 'config.json'), 'utf8')).toContain('"kind": "ddpm"');
  expect((await exported(diffusion, { layout: 'onnx' })).notices.join()).toMatch(/predicts the noise/);
});

it("SiT's weights go back to SiT as they came", async () => {
  const { to } = await exported(sit);
  const came = await readSafetensors(join(folder, 'sit.safetensors'));
  expect((await readSafetensors(to)).tensors).toEqual(came.tensors);
});

it("diffusers' layout has its names, a copy of the embedders in every block, and its config", async () => {
  const { to, notices } = await exported(sit, { layout: 'diffusers' });
  const { tensors } = await readSafetensors(join(to, 'diffusion_pytorch_model.safetensors'));
  const shapes = Object.fromEntries([...tensors].map(([name, { shape }]) => [name, shape]));
  expect(shapes).toMatchObject({
    'pos_embed.proj.weight': [16, 2, 4, 4],
    'transformer_blocks.0.norm1.emb.timestep_embedder.linear_1.weight': [16, 256],
    'transformer_blocks.1.norm1.emb.timestep_embedder.linear_2.bias': [16],
    'transformer_blocks.1.norm1.emb.class_embedder.embedding_table.weight': [4, 16],
    'transformer_blocks.1.norm1.linear.weight': [96, 16],
    'transformer_blocks.1.attn1.to_v.weight': [16, 16],
    'transformer_blocks.1.attn1.to_out.0.bias': [16],
    'transformer_blocks.1.ff.net.0.proj.weight': [64, 16],
    'transformer_blocks.1.ff.net.2.weight': [16, 64],
    'proj_out_1.weight': [32, 16],
    'proj_out_2.bias': [32],
  });
  expect(tensors.size).toBe(2 + 4 + 2 * (5 + 2 + 6 + 2 + 4));
  expect(JSON.parse(await readFile(join(to, 'config.json'), 'utf8'))).toMatchObject({
    _class_name: 'DiTTransformer2DModel',
    num_attention_heads: 2,
    attention_head_dim: 8,
    num_embeds_ada_norm: 3,
    sample_size: 8,
  });
  expect(notices.join()).toMatch(/noise - data, and is to be fed 1 \(1 - t\)/);
});

describe('what cannot be exported', () => {
  it('is refused before anything is written', async () => {
    await expect(exported(trained, { layout: 'diffusers' })).rejects.toThrow(
      /images of 8 x 12, which are no square\. Export it with --layout public/,
    );
    await expect(exported(stretched, { layout: 'diffusers' })).rejects.toThrow(
      /positions that are stretched: it computes those of whole numbers/,
    );
    await expect(exported(trained, { checkpoint: 99 })).rejects.toThrow(/no checkpoint of step 99/);
    await expect(exported(join(folder, 'nothing'))).rejects.toThrow(/is no run/);
  });

  it('does not replace what is there', async () => {
    const to = newPath();
    await writeFile(to, 'mine');
    await expect(exported(trained, { to })).rejects.toThrow(/is there already\. Give another name/);
    expect(await readFile(to, 'utf8')).toBe('mine');
  });
});
