import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openSource } from '../../../src/api/open-source.ts';
import { resolveConfig } from '../../../src/config/resolve-config.ts';
import type { ConfigInput } from '../../../src/config/config.ts';
import { MOST_BUCKETS } from '../../../src/sources/images/buckets.ts';
import { readHeader } from '../../../src/sources/images/open-image.ts';
import type { Source } from '../../../src/data/source.ts';
import { sizeOf } from '../../../src/tensor/shape.ts';
import { temporaryFolder } from '../../support/cli.ts';
import { painted } from './pictures.ts';

describe('the header of an image', () => {
  test.each(['png', 'jpeg'] as const)('of a %s tells its size', async (format) => {
    const image = painted(300, 400, (row, column) => (row * column) % 251);
    const bytes = await image.toFormat(format).toBuffer();
    expect(await readHeader(bytes.subarray(0, 2048))).toEqual({ height: 300, width: 400 });
    expect(await readHeader(bytes.subarray(0, 9))).toBeUndefined();
  });

  test('tells it upright, and of a file that may say at its end how it is turned nothing', async () => {
    const image = painted(300, 400, (row) => row % 251);
    const turned = await image.withMetadata({ orientation: 6 }).jpeg().toBuffer();
    expect(await readHeader(turned.subarray(0, 2048))).toEqual({ height: 400, width: 300 });
    expect(await readHeader(await image.webp().toBuffer())).toBeUndefined();
  });
});

/** Pictures whose red says which they are, by name and [height, width]. */
async function folderOf(sizes: Readonly<Record<string, readonly [number, number]>>): Promise<string> {
  const folder = join(await temporaryFolder(), 'photos');
  await mkdir(folder);
  for (const [i, [name, [height, width]]] of Object.entries(sizes).entries())
    await painted(height, width, (_, __, channel) => (channel === 0 ? i * 20 : 100))
      .png()
      .toFile(join(folder, name));
  return folder;
}

function open(data: object, onBadSample: 'fail' | 'skip' = 'fail'): Promise<Source> {
  const parsed = resolveConfig({
    data: data as NonNullable<ConfigInput['data']>,
    model: { width: 8, depth: 1, heads: 1, patchSize: 2, imageSize: 8, channels: 3, classes: 0 },
  });
  return openSource(parsed.data, onBadSample);
}

describe('a folder in buckets', () => {
  const buckets = { area: 24 * 24, step: 8, maxAspect: 3 };

  test('reads each image at the shape of its bucket', async () => {
    const path = await folderOf({ 'a.png': [60, 60], 'b.png': [40, 80], 'c.png': [90, 40] });
    const source = await open({ source: 'folder', path, buckets });
    const { shape, sizes } = source;
    expect(shape).toEqual([3, 24, 24]);
    expect(sizes!.shapes.map((each) => each.join(' '))).toEqual(['3 32 16', '3 24 24', '3 16 32']);
    const own = [0, 1, 2].map((index) => sizes!.shapes[sizes!.of!(index)]!);
    expect(own.map((each) => each.join(' '))).toEqual(['3 24 24', '3 16 32', '3 32 16']);
    for (const [index, each] of own.entries()) {
      const out = new Float32Array(sizeOf(each));
      await source.read(index, out, 0, { seed: 0, epoch: 0, shape: each });
      expect(Math.round((out[0]! + 1) * 127.5)).toBe(index * 20);
      expect(Math.round((out.at(-1)! + 1) * 127.5)).toBe(100);
    }
  });

  test('refuses an image that is smaller than every bucket, by its name, its size and what to do', async () => {
    const path = await folderOf({ 'a.png': [60, 60], 'small.png': [10, 30], 'z.png': [12, 12] });
    await expect(open({ source: 'folder', path, buckets })).rejects.toThrow(
      `${join(path, 'small.png')}: is 10x30 (height x width), smaller than every bucket: the smallest is 32x16. `,
    );
    await expect(open({ source: 'folder', path, buckets })).rejects.toThrow(
      /data\.buckets\.upscale to true.* data\.buckets\.area smaller.* Of 3 images that were looked at, 2 fit no bucket.*onBadSample=skip/,
    );
    const source = await open({ source: 'folder', path, buckets: { ...buckets, upscale: true } });
    expect(source.count).toBe(3);
  });

  test('leaves out few of them where the policy is to skip', async () => {
    const sizes = Object.fromEntries(
      Array.from({ length: 20 }, (_, i) => [`${String(i).padStart(2, '0')}.png`, [30 + i, 40] as const]),
    );
    const path = await folderOf({ ...sizes, '99.png': [6, 6] });
    const source = await open({ source: 'folder', path, buckets }, 'skip');
    // In its place comes another of the bucket that it is nearest to.
    expect(source.sizes!.shapes[source.sizes!.of!(20)]).toEqual([3, 24, 24]);
    const out = new Float32Array(3 * 24 * 24);
    await expect(source.read(20, out, 0, { seed: 0, epoch: 0, shape: source.shape })).rejects.toThrow(
      /99\.png: is 6x6 .*smaller than every bucket/,
    );
    const two = await folderOf({ 'a.png': [6, 6], 'b.png': [60, 60], 'c.png': [5, 5] });
    await expect(open({ source: 'folder', path: two, buckets }, 'skip')).rejects.toThrow(
      /a\.png: is 6x6 .*smaller than every .* Of 3 images that were looked at, 2 fit no bucket or cannot be read\.$/,
    );
  });

  test('names a file that is no image', async () => {
    const path = await folderOf({ 'a.png': [60, 60] });
    await writeFile(join(path, 'b.png'), 'no image');
    await expect(open({ source: 'folder', path, buckets })).rejects.toThrow(/b\.png: is no JPEG, PNG/);
  });
});

describe('a folder at several sizes', () => {
  test('is read at each, from the original', async () => {
    const path = await folderOf({ 'a.png': [64, 96] });
    const source = await open({ source: 'folder', path, sizes: [8, 32, 16, [8, 16]] });
    expect(source.shape).toEqual([3, 32, 32]);
    expect(source.sizes).toEqual({
      shapes: [
        [3, 8, 8],
        [3, 32, 32],
        [3, 16, 16],
        [3, 8, 16],
      ],
    });
    expect(source.isFixed).toBe(true);
    for (const shape of source.sizes!.shapes) {
      const at = new Float32Array(sizeOf(shape));
      await source.read(0, at, 0, { seed: 0, epoch: 0, shape });
      const alone = await open({
        source: 'folder',
        path,
        transforms: [
          { kind: 'resize-to-cover', size: shape.slice(1) },
          { kind: 'center-crop', size: shape.slice(1) },
        ],
      });
      const wanted = new Float32Array(sizeOf(shape));
      await alone.read(0, wanted, 0, { seed: 0, epoch: 0 });
      expect(at).toEqual(wanted);
    }
  });

  test('of which a square is what one size is', async () => {
    const path = await folderOf({ 'a.png': [50, 77] });
    const [one, several] = [
      await open({ source: 'folder', path, size: 16 }),
      await open({ source: 'folder', path, sizes: [16, 24] }),
    ];
    const [found, wanted] = [new Float32Array(768), new Float32Array(768)];
    await several.read(0, found, 0, { seed: 0, epoch: 0, shape: [3, 16, 16] });
    await one.read(0, wanted, 0, { seed: 0, epoch: 0 });
    expect(found).toEqual(wanted);
  });

  test('is cropped at random and flipped where that is asked for', async () => {
    const path = await folderOf({ 'a.png': [64, 96] });
    const transforms = [{ kind: 'horizontal-flip' }];
    expect((await open({ source: 'folder', path, sizes: [8], crop: 'random' })).isFixed).toBe(false);
    expect((await open({ source: 'folder', path, sizes: [8], transforms })).isFixed).toBe(false);
  });
});

describe('settings', () => {
  const resolve = (data: object, model: object = {}): unknown =>
    resolveConfig(
      {
        data: { source: 'folder', path: 'x', ...data } as NonNullable<ConfigInput['data']>,
        model: {
          width: 8,
          depth: 1,
          heads: 1,
          patchSize: 4,
          channels: 3,
          imageSize: 64,
          classes: 0,
          ...model,
        },
      },
      { facts: { name: 'x', count: 4, shape: [3, 64, 64] } },
    );

  test.each([
    [{ size: 8, sizes: [8, 16] }, /size and sizes say how large images become/],
    [{ sizes: [8], buckets: { area: 4096 } }, /sizes and buckets say how large images become/],
    [{ sizes: [32, [32, 32]] }, /data\.sizes\.1: wanted a size that is not in the list before/],
    [{ sizes: [] }, /data\.sizes: wanted sizes, as in \[32, 48, 64\]/],
    [{ sizes: [0] }, /data\.sizes\.0: wanted a whole number from 1/],
    [
      { sizes: [8], transforms: [{ kind: 'center-crop', size: 8 }] },
      /only horizontal-flip beside data\.sizes/,
    ],
    [{ size: 8, crop: 'random' }, /data\.crop: wanted data\.sizes or data\.buckets beside it/],
    [{ buckets: { step: 8 } }, /data\.buckets\.area: wanted a whole number from 1/],
    [{ buckets: { area: 100, step: 16 } }, /data\.buckets\.step: wanted at most 10/],
    [{ buckets: { area: 2 ** 24, step: 1 } }, new RegExp(`at most ${MOST_BUCKETS} buckets`)],
    [{ buckets: { area: 2 ** 24, step: 1, maxAspect: 1e9 } }, new RegExp(`at most ${MOST_BUCKETS} buckets`)],
    [{ buckets: { area: 4096, maxAspect: 0.5 } }, /maxAspect: wanted a number from 1/],
  ])('%j are refused', (data, message) => {
    expect(() => resolve(data)).toThrow(message);
  });

  test('for which sizes the model is not made are named with the nearest that it takes', () => {
    const at = (sides: readonly number[], of?: (index: number) => number): unknown =>
      resolveConfig(
        {
          data: { source: 'folder', path: 'x', sizes: [...sides] },
          model: { width: 8, depth: 1, heads: 1, patchSize: 4, channels: 3, imageSize: 64, classes: 0 },
        },
        {
          facts: {
            name: 'x',
            count: 4,
            shape: [3, 64, 64],
            sizes: { shapes: sides.map((side) => [3, side, side]), ...(of && { of }) },
          },
        },
      );
    expect(() => at([46, 64])).toThrow(
      /data\.sizes: the model cannot take 46x46: .*nearest sizes that patches of 4 divide are 44x44 and 48x48/,
    );
    expect(() => at([50, 64], () => 0)).toThrow(/data\.buckets\.step: the model cannot take 50x50/);
    expect(at([32, 48, 64])).toMatchObject({ data: { sizes: [32, 48, 64], transforms: [] } });
  });

  test('of sets that come in one size have none', () => {
    for (const source of ['digits', 'fashion', 'array', 'idx'])
      expect(() => resolve({ source, sizes: [8, 16] })).toThrow(
        /data\.sizes: this kind of data comes in one size/,
      );
  });

  test('resolved again are as they were', () => {
    const config = resolve({ sizes: [32, 64], crop: 'random', transforms: [{ kind: 'horizontal-flip' }] });
    expect(
      resolveConfig(config as ConfigInput, { facts: { name: 'x', count: 4, shape: [3, 64, 64] } }),
    ).toEqual(config);
  });
});
