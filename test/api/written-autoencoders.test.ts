// Autoencoders as we write them, and what tells one from another.
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { type ReadAutoencoder, readAutoencoder, writeAutoencoder } from '../../src/api/autoencoder.ts';
import { fingerprintAutoencoder } from '../../src/interop/autoencoders/fingerprint.ts';
import type { StoredTensor } from '../../src/tensor/stored-tensor.ts';
import { toFloat32 } from '../../src/tensor/to-float32.ts';
import { writeFolder } from '../support/autoencoder-files.ts';
import { temporaryFolder } from '../support/cli.ts';
import { goldenAutoencoders } from '../support/golden-autoencoders.ts';

const { sd, tiny, attention } = goldenAutoencoders;

let folder: string;
let files = 0;
const newPath = (): string => join(folder, `autoencoder-${files++}`);
const configIn = async (path: string): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(join(path, 'config.json'), 'utf8'));

let whole: ReadAutoencoder;
beforeAll(async () => {
  folder = await temporaryFolder();
  whole = await readAutoencoder(sd.folder);
});

describe('an autoencoder that is written', () => {
  it.each([sd, tiny])('is read again as the same: $label', async ({ folder: path }) => {
    const read = await readAutoencoder(path);
    const copy = newPath();
    await writeAutoencoder(copy, read);
    const again = await readAutoencoder(copy);
    expect(again.config).toEqual(read.config);
    expect(again.fingerprint).toBe(read.fingerprint);
    expect(again.weights).toEqual(
      new Map(again.autoencoder.parameters.map(({ name }) => [name, read.weights.get(name)!])),
    );
    await expect(writeAutoencoder(copy, read)).rejects.toThrow(
      /is there already\. Give the name of a new folder/,
    );
  });

  it('keeps scale and shift of each channel to the bit', async () => {
    // One over one over 49 is not 49.
    const scaling = { scale: [49, 1.7, 0.13025, 5.3], shift: [0.1, -0.7, 0, 1e-9] };
    const copy = newPath();
    await writeAutoencoder(copy, { ...whole, config: { ...whole.config, scaling } });
    expect((await readAutoencoder(copy)).config.scaling).toEqual(scaling);
    const { latents_std: deviations, latents_mean: means } = await configIn(copy);
    expect(means).toEqual(scaling.shift);
    (deviations as number[]).forEach((deviation, i) =>
      expect(1 / deviation).toBeCloseTo(scaling.scale[i]!, 9),
    );
  });

  it('has attention in levels, too', async () => {
    const ldm = join(attention.folder, 'ldm.safetensors');
    const read = await readAutoencoder(ldm, { normGroups: 2, scaling: { scale: 1, shift: 0 } });
    const copy = newPath();
    await writeAutoencoder(copy, read);
    expect(await configIn(copy)).toMatchObject({
      down_block_types: ['DownEncoderBlock2D', 'AttnDownEncoderBlock2D'],
      up_block_types: ['AttnUpDecoderBlock2D', 'UpDecoderBlock2D'],
    });
    const again = await readAutoencoder(copy);
    expect(again.config).toEqual(read.config);
    expect(again.fingerprint).toBe(read.fingerprint);
  });

  it('is there as a whole or not at all', async () => {
    const file = newPath();
    await writeFile(file, '');
    await expect(writeAutoencoder(join(file, 'inside'), whole)).rejects.toThrow(
      /inside: cannot be written: part of the path is a file, not a folder\. Check the path/,
    );
    const made = newPath();
    const [[name, stored], ...others] = [...whole.weights] as [
      [string, StoredTensor],
      ...[string, StoredTensor][],
    ];
    const without = { ...whole, weights: new Map(others) };
    await expect(writeAutoencoder(made, without)).rejects.toThrow(`got none for ${name}`);
    const damaged = { ...whole, weights: new Map([...others, [name, { ...stored, shape: [1] }]]) };
    await expect(writeAutoencoder(made, damaged)).rejects.toThrow(
      `"${name}": data must be 1 values for shape [1]`,
    );
    const left = (await readdir(folder)).filter((each) => each.startsWith(basename(made)));
    expect(left).toEqual([]);
  });

  it('has a fingerprint of its sizes', async () => {
    const config = { ...(await configIn(sd.folder)), norm_num_groups: 4 };
    const path = await writeFolder(newPath(), config, whole.weights);
    expect((await readAutoencoder(path)).fingerprint).not.toBe(whole.fingerprint);
  });

  it('has a fingerprint of each of its weights, in whatever order they are', async () => {
    const { config, weights, fingerprint } = await readAutoencoder(tiny.folder);
    const changed = [...weights].map(([name, stored]) => {
      const data = toFloat32(stored).slice();
      data[data.length - 1]! += 1e-3;
      return fingerprintAutoencoder(config, new Map([...weights, [name, { ...stored, data }]]));
    });
    expect(new Set([fingerprint, ...changed]).size).toBe(weights.size + 1);
    expect(fingerprintAutoencoder(config, new Map([...weights].toReversed()))).toBe(fingerprint);
  });
});
