import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { npy } from '../../support/npy.ts';
import { openedSets } from './opened-sets.ts';
import { edm2Folder, latent, meanAndDeviation, npz, shard, statistics, write } from './sets.ts';

const { folder, open, read } = openedSets();

describe('what is refused, by name', () => {
  test('a folder of something else', async () => {
    const path = folder();
    await write(join(path, 'photo.jpg'), 'x');
    await expect(open(path)).rejects.toThrow(
      /holds no latents that are known: no latents\.json.*data encode/,
    );
    await expect(open(join(path, 'gone'))).rejects.toThrow(/gone: no such file or folder/);
  });

  test('shards of LightningDiT that do not fit together', async () => {
    const path = folder();
    await write(join(path, 'a.safetensors'), shard(0, [0, 1]));
    const other = { dtype: 'F32', shape: [1, 2, 2, 2], data: new Float32Array(8) } as const;
    await write(join(path, 'b.safetensors'), shard(2, [1], { latents: other, latents_flip: other }));
    await expect(open(path)).rejects.toThrow(
      /b\.safetensors: has latents \[2, 2, 2\], the first shard \[2, 2, 3\]/,
    );
    await write(join(path, 'b.safetensors'), shard(2, [1], { latents_flip: other }));
    await expect(open(path)).rejects.toThrow(
      /latents_flip: has shape \[1, 2, 2, 2\], latents have \[1, 2, 2, 3\]/,
    );
    await write(join(path, 'b.safetensors'), shard(2, [-1]));
    await expect(open(path)).rejects.toThrow(/sample 2 has label -1/);
    await write(join(path, 'b.safetensors'), shard(2, [1]).subarray(0, 200));
    await expect(open(path)).rejects.toThrow(/b\.safetensors: /);
  });

  test('statistics that are none', async () => {
    const path = folder();
    await write(join(path, 'a.safetensors'), shard(0, [0, 1]));
    await write(join(path, 'latents_stats.pt'), statistics([1, 2, 3], [1, 1, 1]));
    await expect(open(path)).rejects.toThrow(
      /latents_stats\.pt: wanted a tensor "mean" with a number for each of 2 channels, found 3 numbers/,
    );
    await write(join(path, 'latents_stats.pt'), statistics([1, 2], [1, 0]));
    await expect(open(path)).rejects.toThrow(/has a deviation that is not above 0/);
  });

  test('.npy files that are no means and deviations, and labels of other files', async () => {
    const path = await edm2Folder(folder(), [0, 1, 2]);
    const first = join(path, '00000/img-mean-std-00000000.npy');
    const second = join(path, '00000/img-mean-std-00000001.npy');
    await write(first, npy('<f4', [3, 2, 2], new Float32Array(12)));
    await expect(open(path)).rejects.toThrow(/00000000\.npy: has shape \[3, 2, 2\], wanted \[2 C, H, W\]/);
    await write(first, meanAndDeviation(0));
    await write(second, npy('<f4', [4, 2, 2], new Float32Array(16)));
    const source = await open(path);
    await expect(read(source, 1)).rejects.toThrow(/00000001\.npy: has shape \[4, 2, 2\], the first file has/);
    await rm(second);
    await expect(open(path)).rejects.toThrow(
      /has labels for 1 file that are not there, the first of them .*0001\.npy/,
    );
    await write(second, meanAndDeviation(1));
    await write(join(path, '00000/img-mean-std-00000009.npy'), meanAndDeviation(9));
    await expect(open(path)).rejects.toThrow(/has no label for 1 file, the first of them .*0009\.npy/);
    await write(join(path, 'dataset.json'), '{"labels": [["a.npy", "cat"]]}');
    await expect(open(path)).rejects.toThrow(
      /has the label \["a\.npy","cat"\], wanted a name and a whole number/,
    );
  });

  test('.npz files of several sizes, unless one is chosen; and damaged ones', async () => {
    const path = folder();
    const array = { shape: [2, 2, 3], data: latent(1, 0) };
    const wide = { shape: [2, 1, 2], data: new Float32Array(4) };
    await write(join(path, 'a_0024x0016_sd.npz'), npz({ latents_2x3: array }));
    await write(join(path, 'b_0024x0016_sd.npz'), npz({ latents_2x3: array, latents_1x2: wide }));
    await expect(open(path)).rejects.toThrow(
      /latents of 2 sizes, height x width: 2x3 \(2\), 1x2 \(1\).*\[2, 3\]/,
    );
    await expect(open(path, { size: [4, 4] })).rejects.toThrow(/holds no latents of 4x4; there are 2x3/);
    const source = await open(path, { size: [2, 3] });
    expect([source.count, source.shape]).toEqual([2, [2, 2, 3]]);
    expect(source.unused!.map(({ what, examples }) => [what, examples])).toEqual([
      ['file of latents of another size', ['b_0024x0016_sd.npz_1x2']],
    ]);
    await write(join(path, 'c_0024x0016_sd.npz'), npz({ latents: array }).subarray(0, 40));
    await expect(open(path, { size: [2, 3] })).rejects.toThrow(/c_0024x0016_sd\.npz: .*copy it again/);
  });

  test('what the settings ask for and the set lacks', async () => {
    const path = await edm2Folder(folder(), null);
    await expect(open(path, { condition: 'class' })).rejects.toThrow(/the latents have no labels/);
    await expect(open(path, { flip: 0.5 })).rejects.toThrow(
      /data\.flip is 0\.5, and the mirrored images were not encoded.*horizontal-flip/,
    );
    await expect(open(path, { scaling: { scale: [1, 2, 3], shift: 0 } })).rejects.toThrow(
      /scale has 3 numbers, the latents have 2 channels/,
    );
    await expect(open(path, { scaling: 'auto' })).rejects.toThrow(
      /nothing tells the scale and shift.*the means 110\.16, 110\.53 and the deviations .*data\.autoencoder.*statistics.*0\.18215/,
    );
  });
});
