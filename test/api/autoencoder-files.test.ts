// Autoencoders as they come.
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type ReadAutoencoder, readAutoencoder, writeAutoencoder } from '../../src/api/autoencoder.ts';
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors-file.ts';
import type { StoredTensor, StoredTensors } from '../../src/tensor/stored-tensor.ts';
import { toFloat32 } from '../../src/tensor/to-float32.ts';
import { inFloat16, prefixed, toLDM, writeFolder, writeTorch } from '../support/autoencoder-files.ts';
import { temporaryFolder } from '../support/cli.ts';
import { goldenAutoencoders } from '../support/golden-autoencoders.ts';

const { sd, tiny, taef2 } = goldenAutoencoders;
const levels = 2;
const scaling = { scale: 0.18215, shift: 0 };
const told = { normGroups: 8, scaling };

let folder: string;
let files = 0;
const newPath = (ending = ''): string => join(folder, `autoencoder-${files++}${ending}`);
const of = async (path: string): Promise<{ config: Record<string, unknown>; tensors: StoredTensors }> => {
  const config = JSON.parse(await readFile(join(path, 'config.json'), 'utf8')) as Record<string, unknown>;
  const { tensors } = await readSafetensors(join(path, 'diffusion_pytorch_model.safetensors'));
  return { config, tensors };
};

let kl: Awaited<ReturnType<typeof of>>;
let small: Awaited<ReturnType<typeof of>>;
let whole: ReadAutoencoder;
beforeAll(async () => {
  folder = await temporaryFolder();
  kl = await of(sd.folder);
  small = await of(tiny.folder);
  whole = await readAutoencoder(sd.folder);
});

async function written(tensors: StoredTensors, ending = '.safetensors'): Promise<string> {
  const path = newPath(ending);
  await (ending === '.safetensors' ? writeSafetensors(path, tensors) : writeTorch(path, tensors));
  return path;
}

function checkSame(read: ReadAutoencoder): void {
  expect(read.fingerprint).toBe(whole.fingerprint);
  expect(read.config).toEqual(whole.config);
}

describe("diffusers' folders", () => {
  it('say all of it', () => {
    expect(whole.config).toEqual({
      kind: 'kl',
      imageChannels: 3,
      latentChannels: 4,
      blockOutChannels: [16, 32],
      layersPerBlock: 1,
      normGroups: 8,
      quantConv: true,
      postQuantConv: true,
      midAttention: true,
      attentionLevels: [],
      scaling,
    });
    expect(whole.form).toBe('a folder of diffusers');
    expect(whole.autoencoder.factor).toBe(2);
    expect([...whole.weights.keys()].toSorted()).toEqual([...kl.tensors.keys()].toSorted());
  });

  it('are read within a pipeline, in shards, as .bin, and under the old names of attention', async () => {
    const pipeline = newPath();
    await writeFolder(join(pipeline, 'vae'), kl.config, kl.tensors);
    checkSame(await readAutoencoder(pipeline));

    const sharded = newPath();
    await mkdir(sharded);
    const names = [...kl.tensors.keys()];
    const fileOf = (name: string): string => `part-${names.indexOf(name) % 2}.safetensors`;
    for (const file of ['part-0.safetensors', 'part-1.safetensors']) {
      const part = new Map([...kl.tensors].filter(([name]) => fileOf(name) === file));
      await writeSafetensors(join(sharded, file), part);
    }
    const map = Object.fromEntries(names.map((name) => [name, fileOf(name)]));
    const index = 'diffusion_pytorch_model.safetensors.index.json';
    await writeFile(join(sharded, index), JSON.stringify({ weight_map: map }));
    await copyFile(join(sd.folder, 'config.json'), join(sharded, 'config.json'));
    const read = await readAutoencoder(sharded);
    checkSame(read);
    expect(read.form).toBe('a folder of diffusers, in shards');

    const bin = newPath();
    await mkdir(bin);
    await copyFile(join(sd.folder, 'config.json'), join(bin, 'config.json'));
    await writeTorch(join(bin, 'diffusion_pytorch_model.bin'), kl.tensors);
    checkSame(await readAutoencoder(bin));

    const old = { 'to_q.': 'query.', 'to_k.': 'key.', 'to_v.': 'value.', 'to_out.0.': 'proj_attn.' };
    const renamed = new Map(
      [...kl.tensors].map(([name, stored]) => [
        Object.entries(old).reduce((so, [present, before]) => so.replace(present, before), name),
        stored,
      ]),
    );
    expect(renamed.has('decoder.mid_block.attentions.0.proj_attn.weight')).toBe(true);
    checkSame(await readAutoencoder(await writeFolder(newPath(), kl.config, renamed)));
  });

  it('whose scale and shift are of each channel have both', async () => {
    const config = {
      ...kl.config,
      scaling_factor: 0.5,
      latents_mean: [1, 2, 3, 4],
      latents_std: [0.5, 1, 2, 4],
    };
    const read = await readAutoencoder(await writeFolder(newPath(), config, kl.tensors));
    expect(read.config.scaling).toEqual({ scale: [1, 0.5, 0.25, 0.125], shift: [1, 2, 3, 4] });
    // The latents are the same: what they are scaled with is another matter.
    expect(read.fingerprint).toBe(whole.fingerprint);
  });

  it('that name no scale have that of diffusers, which is said', async () => {
    const { scaling_factor: _, ...config } = kl.config;
    const notices: string[] = [];
    const onNotice = (notice: string): void => void notices.push(notice);
    const path = await writeFolder(newPath(), config, kl.tensors);
    checkSame(await readAutoencoder(path, { onNotice }));
    expect(notices).toEqual([expect.stringMatching(/names no scaling_factor: 0\.18215 is assumed/)]);
    notices.length = 0;
    const read = await readAutoencoder(path, { onNotice, scaling: { scale: 2, shift: 1 } });
    expect(read.config.scaling).toEqual({ scale: 2, shift: 1 });
    expect(notices).toEqual([]);
  });

  it('of AutoencoderTiny are read', async () => {
    const { config } = await readAutoencoder(tiny.folder);
    expect(config).toEqual({
      kind: 'tiny',
      imageChannels: 3,
      latentChannels: 4,
      encoderWidth: 8,
      decoderWidth: 8,
      encoderBlocks: [1, 2, 1],
      decoderBlocks: [2, 1, 1],
      poolGroups: 0,
      scaling: { scale: 1, shift: 0 },
    });
  });
});

describe("LDM's files", () => {
  it.each(['', 'first_stage_model.', 'vae.'])('are read, under %j', async (prefix) => {
    const others: [string, StoredTensor][] = [
      ['model.diffusion_model.out.0.weight', { dtype: 'F32', shape: [1], data: new Float32Array(1) }],
    ];
    const tensors = new Map([
      ...prefixed(toLDM(kl.tensors, levels), prefix),
      ...(prefix === '' ? [] : others),
    ]);
    expect(tensors.has(`${prefix}decoder.up.0.block.0.nin_shortcut.weight`)).toBe(true);
    expect(tensors.has(`${prefix}encoder.down.0.downsample.conv.weight`)).toBe(true);
    expect(tensors.get(`${prefix}decoder.mid.attn_1.q.weight`)!.shape).toEqual([32, 32, 1, 1]);
    const read = await readAutoencoder(await written(tensors), told);
    checkSame(read);
    expect(read.form).toBe(prefix === '' ? 'a single file' : `a single file, under ${prefix}*`);
  });

  it('are read as .ckpt, without what a training keeps beside the autoencoder, which is said', async () => {
    const beside: StoredTensor = { dtype: 'F32', shape: [1], data: new Float32Array(1) };
    const tensors = new Map([
      ...toLDM(kl.tensors, levels),
      ['loss.discriminator.main.0.weight', beside] as const,
      ['loss.logvar', beside] as const,
    ]);
    const notices: string[] = [];
    const onNotice = (notice: string): void => void notices.push(notice);
    checkSame(await readAutoencoder(await written(tensors, '.ckpt'), { ...told, onNotice }));
    const left = /also holds 2 tensors beside the autoencoder, which are left out: loss\.\*\.$/;
    expect(notices).toEqual([expect.stringMatching(left)]);
    notices.length = 0;
    const inFolder = await writeFolder(newPath(), kl.config, tensors, 'ae.safetensors');
    checkSame(await readAutoencoder(inFolder, { onNotice }));
    expect(notices).toEqual([expect.stringMatching(left)]);
  });

  it("that have diffusers' names are read, too", async () => {
    checkSame(await readAutoencoder(await written(kl.tensors), told));
  });

  it('may lie in a folder whose config.json says what they do not', async () => {
    const tensors = prefixed(toLDM(kl.tensors, levels), 'first_stage_model.');
    checkSame(await readAutoencoder(await writeFolder(newPath(), kl.config, tensors, 'ae.safetensors')));
  });

  it('of 4 channels have the scale of Stable Diffusion, which is said', async () => {
    const notices: string[] = [];
    const onNotice = (notice: string): void => void notices.push(notice);
    const path = await written(toLDM(kl.tensors, levels));
    const { config } = await readAutoencoder(path, { normGroups: 8, onNotice });
    expect(config.scaling).toEqual(scaling);
    expect(notices).toEqual([
      expect.stringMatching(/scale 0\.18215 .* assumed; if it is of SDXL, it is 0\.13025\.$/),
    ]);
  });
});

describe("TAESD's files", () => {
  /** Numbers of a Sequential; the decoder's begin with a clamp. */
  function halfOf(part: 'encoder' | 'decoder'): Map<string, StoredTensor> {
    const within = [...small.tensors].filter(([name]) => name.startsWith(`${part}.layers.`));
    return new Map(
      within.map(([name, stored]) => {
        const [, , number, ...rest] = name.split('.');
        return [[Number(number) + (part === 'decoder' ? 1 : 0), ...rest].join('.'), stored];
      }),
    );
  }

  async function writtenPair(name = 'taesd', into = newPath()): Promise<string> {
    await mkdir(into, { recursive: true });
    for (const part of ['encoder', 'decoder'] as const) {
      await writeTorch(join(into, `${name}_${part}.pth`), inFloat16(halfOf(part)));
    }
    return into;
  }

  it('are read as a folder, or by either of them, the same as diffusers has them', async () => {
    const pair = await writtenPair();
    const widened = new Map(
      [...inFloat16(small.tensors)].map(([name, stored]) => {
        const data = toFloat32(stored);
        return [name, { dtype: 'F32', shape: stored.shape, data } as StoredTensor];
      }),
    );
    const wanted = await readAutoencoder(await writeFolder(newPath(), small.config, widened));
    for (const path of [pair, join(pair, 'taesd_encoder.pth'), join(pair, 'taesd_decoder.pth')]) {
      const read = await readAutoencoder(path);
      expect(read.fingerprint).toBe(wanted.fingerprint);
      expect(read.config).toEqual(wanted.config);
      expect(read.form).toBe('taesd_encoder.pth and taesd_decoder.pth');
    }
  });

  it.skipIf(taef2.skip !== undefined)(
    `of TAEF2 have a pool (${taef2.skip ?? 'from ../shared'}), which a folder of ours keeps`,
    async () => {
      const read = await readAutoencoder(taef2.folder);
      expect(read.config).toMatchObject({
        kind: 'tiny',
        latentChannels: 32,
        encoderBlocks: [1, 3, 3, 3],
        decoderBlocks: [3, 3, 3, 1],
        poolGroups: 4,
      });
      const copy = newPath();
      await writeAutoencoder(copy, read);
      const again = await readAutoencoder(copy);
      expect(again.config).toEqual(read.config);
      expect(again.fingerprint).toBe(read.fingerprint);
    },
  );

  it('that lack one, or are several, are refused', async () => {
    const pair = await writtenPair();
    await writtenPair('taesdxl', pair);
    await expect(readAutoencoder(pair)).rejects.toThrow(
      /has 2 pairs of files: taesd_encoder\.pth, taesdxl_encoder\.pth\. Give one of the files/,
    );
    const half = newPath();
    await mkdir(half);
    await writeTorch(join(half, 'taesd_encoder.pth'), halfOf('encoder'));
    await expect(readAutoencoder(half)).rejects.toThrow(/taesd_decoder\.pth: no such file\. Put it beside/);
  });
});
