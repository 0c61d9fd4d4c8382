import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openAutoencoder, readAutoencoder } from '../../src/api/autoencoder.ts';
import { encodeData } from '../../src/api/encode.ts';
import { openSource } from '../../src/api/open-source.ts';
import { verifyData } from '../../src/api/verify.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { readSafetensors, writeSafetensors } from '../../src/formats/safetensors-file.ts';
import type { Backend } from '../../src/backends/backend.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { ParsedConfig } from '../../src/config/resolve-config.ts';
import type { Annotation, Source } from '../../src/data/source.ts';
import { writePhotos } from '../support/photos.ts';
import { goldenAutoencoders, goldenValues, largestError } from '../support/golden-autoencoders.ts';

const kl = 'test/golden/autoencoders/kl';
const tiny = 'test/golden/autoencoders/tiny';

let root: string;
let backend: Backend;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'encode-data-'));
  backend = referenceBackend();
});
afterAll(async () => {
  await backend.dispose();
  await rm(root, { recursive: true });
});

let made = 0;
const folder = (): string => join(root, String(made++));

const photos = (): Promise<string> => writePhotos(folder(), 2);

async function readAll(source: Source): Promise<[Float32Array, Annotation][]> {
  const samples: [Float32Array, Annotation][] = [];
  for (let index = 0; index < source.count; index++) {
    const out = new Float32Array(source.shape.reduce((product, side) => product * side, 1));
    const annotation = await source.read(index, out, 0, { seed: 0, epoch: 0 });
    samples.push([out, annotation]);
  }
  await source.close?.();
  return samples;
}

const open = (path: string, more: object = {}): Promise<Source> =>
  openSource(ParsedConfig.of({ data: { source: 'latents', path, ...more } } as ConfigInput).data);

describe('what is refused', () => {
  test('crops at random, latents, sizes and channels that the autoencoder does not take', async () => {
    const path = await photos();
    const encode = (data: object, autoencoder = kl): Promise<unknown> =>
      encodeData({ data } as ConfigInput, folder(), { autoencoder, backend });
    const image = { source: 'folder', path };
    await expect(encode({ ...image, transforms: [{ kind: 'random-crop', size: 4 }] })).rejects.toThrow(
      /random-crop, which is another in every epoch, and an image is encoded once\. Set data\.transforms/,
    );
    await expect(encode({ source: 'latents', path })).rejects.toThrow(/holds latents already/);
    await expect(encode({ ...image, size: 7 })).rejects.toThrow(
      /size of a picture must be multiples of 2 on both sides; nearest are 6x6 and 8x8, got 7x7/,
    );
    await expect(encode({ ...image, sizes: [8, 12] })).rejects.toThrow(
      /images are read at 2 sizes, and a set of latents has one\. Set data\.size/,
    );
    await expect(encode({ ...image, size: 8 }, path)).rejects.toThrow(
      /has no config\.json, and no \*_encoder\.pth/,
    );
    await expect(
      encodeData({ data: { ...image, size: 8 } } as ConfigInput, folder(), { autoencoder: kl, shardMiB: 0 }),
    ).rejects.toThrow(/shardMiB must be a number above 0/);
  });
});

test('grey images are three times the same for an autoencoder of colour', async () => {
  const grey = Float32Array.from({ length: 128 }, (_, i) => Math.sin(i));
  const colour = Float32Array.from({ length: 384 }, (_, i) => grey[64 * Math.floor(i / 192) + (i % 64)]!);
  const encoded = async (images: Float32Array, channels: number): Promise<Float32Array[]> => {
    const [path, to] = [`${folder()}.safetensors`, folder()];
    const stored = { dtype: 'F32', shape: [2, channels, 8, 8], data: images } as const;
    await writeSafetensors(path, new Map([['images', stored]]));
    const data = { source: 'array', path, tensor: 'images' } as const;
    await encodeData({ data }, to, { autoencoder: kl, backend });
    return (await readAll(await open(to, { draw: false }))).map(([values]) => values);
  };
  expect(await encoded(grey, 1)).toEqual(await encoded(colour, 3));
});

test('files are as large as is asked for, with the mirrored images', async () => {
  const image = { source: 'folder', path: await photos() } as const;
  const transforms = [
    { kind: 'resize', size: 8 },
    { kind: 'center-crop', size: 8 },
  ] as const;
  const samples = async (more: readonly { kind: 'horizontal-flip' }[]): Promise<number> => {
    const data = { ...image, transforms: [...transforms, ...more] };
    const options = { autoencoder: kl, backend, shardMiB: 1 };
    return (await encodeData({ data }, folder(), options)).settings.samplesPerShard;
  };
  // Mean and deviation of 4x4x4 numbers of 4 bytes.
  expect(await samples([])).toBe(2 ** 20 / 512);
  expect(await samples([{ kind: 'horizontal-flip' }])).toBe(2 ** 20 / 1024);
});

const { sd } = goldenAutoencoders;

test.skipIf(sd.skip !== undefined)('latents are those of diffusers, to 1e-5', async () => {
  const value = await goldenValues(sd);
  const path = join(sd.folder, 'values.safetensors');
  const to = folder();
  const data = { source: 'array', path, tensor: 'images' } as const;
  const { settings } = await encodeData({ data }, to, { autoencoder: sd.folder, backend });
  expect(settings.autoencoder.scaling).toEqual({ scale: 0.18215, shift: 0 });
  const plain = await readAll(await open(to, { draw: false }));
  const { tensors } = await readSafetensors(join(to, '000000.safetensors'));
  const spread = value('logvar').values.map((each) => Math.exp(each / 2));
  expect(largestError(tensors.get('deviation')!.data as Float32Array, spread)).toBeLessThan(1e-5);
  const mean = value('mean').values;
  const size = mean.length / 2;
  plain.forEach(([seen], i) => {
    const wanted = mean.slice(i * size, (i + 1) * size).map((each) => each * 0.18215);
    expect(largestError(seen, wanted)).toBeLessThan(1e-5);
  });
});

test('images and mirrored ones are encoded as they are seen, with classes and the autoencoder', async () => {
  const path = await photos();
  const to = folder();
  const transforms = [
    { kind: 'resize', size: 8 },
    { kind: 'center-crop', size: 8 },
    { kind: 'horizontal-flip', probability: 0.25 },
  ];
  const config = { data: { source: 'folder', path, transforms } } as ConfigInput;
  const manifest = await encodeData(config, to, { autoencoder: kl, backend });
  expect(manifest.settings).toMatchObject({ flip: 0.25, deviations: true, classNames: ['cats', 'dogs'] });
  const own = await openAutoencoder(kl, { backend });
  const images = await readAll(
    await openSource(ParsedConfig.of({ data: { source: 'folder', path, size: 8 } }).data),
  );
  for (const flip of [0, 1]) {
    const latents = await readAll(await open(to, { flip, draw: false, scaling: { scale: 1 } }));
    for (const [i, [pixels, annotation]] of images.entries()) {
      const seen = pixels.map((value, at) => (flip === 0 ? value : pixels[at - (at % 8) + 7 - (at % 8)]!));
      const { mean } = await own.encode(seen, [1, 3, 8, 8]);
      expect(latents[i]![0]).toEqual(mean);
      expect(latents[i]![1]).toEqual(annotation);
    }
  }
  const kept = await readAutoencoder(join(to, 'autoencoder'));
  expect(kept.fingerprint).toBe(own.fingerprint);
  await own.dispose();
  expect(await verifyData(to)).toEqual({ count: 2, files: 3 });
  const source = await open(to);
  expect(source.record).toMatchObject({ autoencoder: kept.fingerprint });
  await source.close!();
});

test('an autoencoder that is certain has no deviations, and grey images are given to it as colours', async () => {
  const path = await photos();
  const [grey, colour] = [folder(), folder()];
  const { autoencoder } = await readAutoencoder(tiny);
  const data = { source: 'folder', path, size: 8 * autoencoder.factor } as const;
  const manifest = await encodeData({ data: { ...data, channels: 1 } }, grey, { autoencoder: tiny, backend });
  expect(manifest.settings).toMatchObject({
    deviations: false,
    flip: 0,
    pictures: [3, data.size, data.size],
  });
  const drawn = await readAll(await open(grey));
  expect(drawn).toEqual(await readAll(await open(grey, { draw: false })));
  await encodeData({ data }, colour, { autoencoder: tiny, backend });
  expect((await readAll(await open(colour)))[0]![0]).not.toEqual(drawn[0]![0]);
});
