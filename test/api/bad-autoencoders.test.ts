// Autoencoders that cannot be read: each says what is wrong with it.
import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { openAutoencoder, readAutoencoder } from '../../src/api/autoencoder.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors-file.ts';
import type { StoredTensor, StoredTensors } from '../../src/tensor/stored-tensor.ts';
import { toLDM, writeFolder } from '../support/autoencoder-files.ts';
import { temporaryFolder } from '../support/cli.ts';
import { goldenAutoencoders } from '../support/golden-autoencoders.ts';

let folder: string;
let tensors: StoredTensors;
let config: Record<string, unknown>;
let tinyTensors: StoredTensors;
let tinyConfig: Record<string, unknown>;
let files = 0;
const newPath = (ending = ''): string => join(folder, `bad-${files++}${ending}`);

beforeAll(async () => {
  folder = await temporaryFolder();
  [tensors, config] = await contentsOf(goldenAutoencoders.sd.folder);
  [tinyTensors, tinyConfig] = await contentsOf(goldenAutoencoders.tiny.folder);
});

async function contentsOf(path: string): Promise<[StoredTensors, Record<string, unknown>]> {
  const read = await readSafetensors(join(path, 'diffusion_pytorch_model.safetensors'));
  return [read.tensors, JSON.parse(await readFile(join(path, 'config.json'), 'utf8'))];
}

const one: StoredTensor = { dtype: 'F32', shape: [1], data: new Float32Array(1) };

describe('config and weights that disagree', () => {
  it('are one error with all that is missing, unexpected and of another shape', async () => {
    const changed = new Map(tensors);
    changed.delete('quant_conv.bias');
    changed.delete('decoder.conv_out.weight');
    changed.set('encoder.down.1.attn.0.q.weight', one);
    changed.set('bn.running_mean', one);
    changed.set('decoder.conv_in.bias', one);
    const path = await writeFolder(newPath(), config, changed);
    await expect(readAutoencoder(path)).rejects.toThrow(
      new RegExp(
        `${path}: does not fit an AutoencoderKL of 16, 32 channels and 1 layer a block, with 4 latent channels:\n` +
          ` {2}missing:\n {4}quant_conv\\.bias\n {4}decoder\\.conv_out\\.weight\n` +
          ` {2}unexpected:\n {4}encoder\\.down_blocks\\.1\\.attentions\\.0\\.to_q\\.weight\n {4}bn\\.running_mean\n` +
          ` {2}of another shape:\n {4}decoder\\.conv_in\\.bias \\[1\\], wanted \\[32\\]\n`,
      ),
    );
  });

  it('are counted where they are many', async () => {
    const path = await writeFolder(newPath(), { ...config, layers_per_block: 3 }, tensors);
    await expect(readAutoencoder(path)).rejects.toThrow(
      /3 layers a block.*\n {2}missing:\n( {4}\S+\n){20} {4}and \d+ more\n/,
    );
  });

  it('of one with quant convolutions, or of none, too', async () => {
    const path = await writeFolder(newPath(), { ...config, use_quant_conv: false }, tensors);
    await expect(readAutoencoder(path)).rejects.toThrow(
      /unexpected:\n {4}quant_conv\.\w+\n {4}quant_conv\.\w+\n/,
    );
  });
});

describe('a config.json', () => {
  it.each<[string, Record<string, unknown>, RegExp]>([
    [
      'of a class that is not read',
      { _class_name: 'AutoencoderKLWan' },
      /config\.json: is the config of "AutoencoderKLWan"\. AutoencoderKL and AutoencoderTiny are read/,
    ],
    ['of no class', { _class_name: undefined }, /is the config of no class \(_class_name is missing\)/],
    ['with another activation', { act_fn: 'gelu' }, /config\.json: act_fn: wanted "silu", found "gelu"/],
    [
      'with blocks of another kind',
      { down_block_types: ['DownEncoderBlock2D', 'DownBlock2D'] },
      /down_block_types: wanted DownEncoderBlock2D or AttnDownEncoderBlock2D for each of 2 levels, found \["DownEncoderBlock2D","DownBlock2D"\]/,
    ],
    [
      'with attention in levels of the encoder alone',
      { down_block_types: ['DownEncoderBlock2D', 'AttnDownEncoderBlock2D'] },
      /up_block_types: wanted attention at the levels that have it in down_block_types, found /,
    ],
    [
      'with several problems',
      { latent_channels: 'four', use_quant_conv: 1, out_channels: 4 },
      /config\.json:\n {2}out_channels: wanted 3, as in_channels, found 4\n {2}latent_channels: wanted a number, found "four"\n {2}use_quant_conv: wanted true or false, found 1/,
    ],
    [
      'with sizes that are none',
      { norm_num_groups: 5 },
      /blockOutChannels must be multiples of normGroups = 5, got 16/,
    ],
    ['with a scale of 0', { scaling_factor: 0 }, /config\.json: AutoencoderKL: scale must be above 0/],
    ['with a mean for each of other channels', { latents_mean: [1, 2] }, /shift must be one number or 4/],
  ])('%s is refused', async (_, changes, message) => {
    const path = await writeFolder(newPath(), { ...config, ...changes }, tensors);
    await expect(readAutoencoder(path)).rejects.toThrow(message);
  });

  it.each<[string, Record<string, unknown>, RegExp]>([
    [
      'levels of other channels',
      { encoder_block_out_channels: [8, 16, 8] },
      /wanted equal numbers, found \[8,16,8\]/,
    ],
    ['other upsampling', { upsample_fn: 'bilinear' }, /upsample_fn: wanted "nearest", found "bilinear"/],
    ['another factor', { upsampling_scaling_factor: 4 }, /upsampling_scaling_factor: wanted 2, found 4/],
  ])('of AutoencoderTiny with %s is refused', async (_, changes, message) => {
    const path = await writeFolder(newPath(), { ...tinyConfig, ...changes }, tinyTensors);
    await expect(readAutoencoder(path)).rejects.toThrow(message);
  });
});

describe('a path', () => {
  it('where there is nothing is refused', async () => {
    await expect(readAutoencoder(join(folder, 'none'))).rejects.toThrow(
      /none: no such file or folder\. Check/,
    );
  });

  it('of a folder without autoencoder is refused', async () => {
    const empty = newPath();
    await mkdir(empty);
    await expect(readAutoencoder(empty)).rejects.toThrow(
      /has no config\.json, and no \*_encoder\.pth\. Give an/,
    );
  });

  it('of a config without weights, or with several, is refused', async () => {
    const path = newPath();
    await mkdir(path);
    await writeFile(join(path, 'config.json'), JSON.stringify(config));
    await expect(readAutoencoder(path)).rejects.toThrow(/has no diffusion_pytorch_model\.safetensors or/);
    for (const name of ['b', 'a']) await writeSafetensors(join(path, `${name}.safetensors`), tensors);
    await expect(readAutoencoder(path)).rejects.toThrow(
      /several files of weights .*: a\.safetensors, b\.safetensors/,
    );
  });

  it('of a file without autoencoder is refused', async () => {
    const path = newPath('.safetensors');
    await writeSafetensors(path, new Map([['blocks.0.attn.qkv.weight', one]]));
    await expect(readAutoencoder(path)).rejects.toThrow(
      /holds no autoencoder: it has blocks\.0\.attn\.qkv\.weight and 0 more\. Give an AutoencoderKL/,
    );
  });

  it('of a damaged file is refused', async () => {
    const path = await writeFolder(newPath(), config, tensors);
    await truncate(join(path, 'diffusion_pytorch_model.safetensors'), 100_000);
    await expect(readAutoencoder(path)).rejects.toThrow(/diffusion_pytorch_model\.safetensors: /);
  });
});

describe('what a file does not tell', () => {
  it('is asked for: the groups of its norms', async () => {
    const path = newPath('.safetensors');
    await writeSafetensors(path, toLDM(tensors, 2));
    await expect(readAutoencoder(path)).rejects.toThrow(
      /has 16, 32 channels, which are no multiples of 32, .*Give --norm-groups, .* names "norm_num_groups" \(docs\/latents\.md/,
    );
  });

  it('is asked for: scale and shift of 16 channels', async () => {
    const changed = new Map(tensors);
    const shapes = { 'decoder.conv_in.weight': [32, 16, 3, 3] } as const;
    for (const [name, shape] of Object.entries(shapes)) {
      const size = shape.reduce((a, b) => a * b, 1);
      changed.set(name, { dtype: 'F32', shape, data: new Float32Array(size) });
    }
    const path = newPath('.safetensors');
    await writeSafetensors(path, changed);
    await expect(readAutoencoder(path, { normGroups: 8 })).rejects.toThrow(
      /scale and shift of its 16 channels, .*SD3: 1\.5305 and 0\.0609.*Give --scale and --shift, .*names "scaling_factor" and "shift_factor"/,
    );
  });
});

describe('an index of shards', () => {
  const indexed = async (index: unknown): Promise<string> => {
    const path = newPath();
    await writeFolder(path, config, tensors, 'part.safetensors');
    await writeFile(
      join(path, 'diffusion_pytorch_model.safetensors.index.json'),
      typeof index === 'string' ? index : JSON.stringify(index),
    );
    return path;
  };

  it.each<[string, unknown, RegExp]>([
    ['that is no JSON', '{', /index\.json: holds no valid JSON/],
    ['without map', { metadata: {} }, /has a weight_map of nothing, wanted file names by tensor/],
    [
      'that names a file of another folder',
      { weight_map: { 'quant_conv.bias': '../part.safetensors' } },
      /names the file "\.\.\/part\.safetensors" for quant_conv\.bias, wanted one of its folder/,
    ],
    [
      'that names what is not in the file',
      { weight_map: { other: 'part.safetensors' } },
      /says that part\.safetensors has other, which it does not/,
    ],
    ['that names no file', { weight_map: { other: 'none.safetensors' } }, /none\.safetensors: /],
    ['of a part of the weights', { weight_map: { 'quant_conv.bias': 'part.safetensors' } }, /missing:\n/],
  ])('%s is refused', async (_, index, message) => {
    await expect(readAutoencoder(await indexed(index))).rejects.toThrow(message);
  });
});

it('weights that are not finite are refused before anything is computed with them', async () => {
  const name = 'decoder.conv_in.bias';
  const stored = tensors.get(name)!;
  const data = (stored.data as Float32Array).slice();
  data[3] = NaN;
  const path = await writeFolder(newPath(), config, new Map([...tensors, [name, { ...stored, data }]]));
  const backend = referenceBackend();
  await expect(openAutoencoder(path, { backend })).rejects.toThrow(/decoder\.conv_in\.bias/);
});
