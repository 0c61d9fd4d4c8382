import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { arraySource } from '../../src/sources/arrays.ts';
import { checkSamples } from '../../src/check/check.ts';
import { type ImageItems, imageSource } from '../../src/sources/images/image-source.ts';
import type { Source } from '../../src/data/source.ts';
import { RectiflowError } from '../../src/tensor/errors.ts';
import { painted, plain, settingsOf } from '../sources/images/pictures.ts';

const noisy = (height: number, width: number, seed = 0): Promise<Uint8Array> =>
  painted(
    height,
    width,
    (row, column, channel) => (row * 7919 + column * 104_729 + channel * 31 + seed) % 251,
  )
    .png()
    .toBuffer();

function imagesOf(files: readonly (Uint8Array | Promise<Uint8Array>)[], more: Partial<ImageItems> = {}) {
  const items: ImageItems = {
    count: files.length,
    bytes: (index) => files[index]!,
    describe: (i) => `${i}.png`,
    ...more,
  };
  const settings = settingsOf(8, { transforms: [{ kind: 'resize', size: [8, 8] }] });
  return imageSource({ name: 'set', items, settings, condition: 'auto' });
}

describe('checkSamples', () => {
  test('counts sizes, aspects and formats of the stored images, and reports progress', async () => {
    const jpeg = plain('#336699', 20, 70).removeAlpha().jpeg().toBuffer();
    const progress: string[] = [];
    const source = imagesOf([noisy(8, 8), noisy(40, 8), noisy(16, 31), jpeg]);
    const report = await checkSamples(source, {
      onProgress: (done, total) => progress.push(`${done}/${total}`),
    });
    expect(report).toMatchObject({ name: 'set', count: 4, shape: [3, 8, 8], enlarged: 0 });
    expect(report.sizes).toEqual([
      { name: '8 to 15', count: 2 },
      { name: '16 to 31', count: 2 },
    ]);
    expect(report.aspects).toEqual([
      { name: 'below 1:2', count: 1 },
      { name: '3:4 to 4:3', count: 1 },
      { name: '4:3 to 2:1', count: 1 },
      { name: 'above 2:1', count: 1 },
    ]);
    expect(report.formats).toContainEqual({ name: 'jpeg', count: 1 });
    expect(progress).toEqual(['1/4', '2/4', '3/4', '4/4']);
    expect(report.advice).toEqual([
      '2 of 4 images are more than twice as long as wide: a crop loses most of them. Cut them up, or remove them.',
    ]);
  });

  test('says where the first of several frames is read', async () => {
    const pixels = await painted(16, 8, (row, column) => row * 16 + column)
      .raw()
      .toBuffer();
    const raw = { width: 8, height: 16, channels: 3, pageHeight: 8 } as const;
    const moving = await sharp(pixels, { raw })
      .gif({ delay: [100, 100] })
      .toBuffer();
    const { remarks, advice } = await checkSamples(imagesOf([noisy(8, 8), moving]));
    const said =
      '1 image with several frames or pages: 1.png. The first of each is read. Split them into files to have all.';
    expect(remarks).toEqual([said]);
    expect(advice).toEqual([said]);
  });

  test('notices booleans, or numbers of classes, in the place of shades', async () => {
    const mask = painted(8, 8, (row, column) => (row + column) & 1)
      .png()
      .toBuffer();
    const { findings } = await checkSamples(imagesOf([mask]));
    expect(findings).toContainEqual({
      about: 'values',
      status: 'fail',
      text:
        'Of the shades from 0 to 255 the images have none above 1: to a model they are all black. ' +
        'Where 1 stands for white, scale them: (images * (255 / 1)).round().astype("uint8").',
    });
    const dark = painted(8, 8, (row, column) => 4 * row + column)
      .png()
      .toBuffer();
    expect((await checkSamples(imagesOf([dark]))).findings).toEqual([]);
  });

  test('names what cannot be read, and copies', async () => {
    const good = await noisy(8, 8);
    const report = await checkSamples(imagesOf([good, new Uint8Array(0), noisy(8, 8, 1), good, good]));
    expect(report.unreadable).toEqual({
      count: 1,
      problems: ['1.png: is empty (0 bytes). Fetch it again, or remove it.'],
    });
    expect(report.duplicates.count).toBe(2);
    expect(report.duplicates.pairs).toContainEqual(['3.png', '0.png']);
    expect(report.advice).toEqual([
      'Samples that cannot be read: 1. Fetch them again, or remove them.',
      'Copies of other samples: 2. Remove them, unless they are meant to count more.',
    ]);
  });

  test('a set of which nothing can be read has no values', async () => {
    const report = await checkSamples(imagesOf([new Uint8Array(0)]));
    expect(report.values).toBeUndefined();
    expect(report.advice).toEqual([
      'No sample can be read. 0.png: is empty (0 bytes). Fetch it again, or remove it.',
    ]);
  });

  test('tells small images', async () => {
    const report = await checkSamples(imagesOf([noisy(4, 8), noisy(8, 8)]));
    expect(report.enlarged).toBe(1);
    expect(report.advice[0]).toContain('1 of 2 images are smaller than the 8x8 that the model sees');
  });

  test('tells the balance of classes, and labels outside of them', async () => {
    const files = Array.from({ length: 13 }, (_, i) => noisy(8, 8, i));
    const label = (index: number): number => (index === 0 ? 2 : 0);
    const source = imagesOf(files, { label });
    const report = await checkSamples(source);
    expect(report.classes).toEqual([
      { name: '0', count: 12 },
      { name: '1', count: 0 },
      { name: '2', count: 1 },
    ]);
    expect(report.advice).toEqual([
      'No sample has the class 1: add some, or drop it.',
      'There are 12 samples of 0 and 1 of 2: the small classes will be learnt badly. Add to them, or merge them.',
    ]);
    const wrong = await checkSamples({ ...source, classes: 2 });
    expect(wrong.unreadable.problems).toEqual([
      '0.png: has label 2, outside of [0, 2). Correct the label, or the number of classes.',
    ]);
  });

  test('shows the longest captions', async () => {
    const captions = ['a', 'a cat on a mat', 'a cat', 'a dog', 'two', 'a b', 'c'];
    const files = captions.map((_, i) => noisy(8, 8, i));
    const report = await checkSamples(imagesOf(files, { caption: (index) => captions[index]! }));
    expect(report.captions?.longest).toHaveLength(5);
    expect(report.captions?.longest[0]).toEqual({ sample: '1.png', caption: 'a cat on a mat' });
    expect(report.captions?.meanLength).toBeCloseTo(captions.join('').length / 7, 10);
    expect(report.advice).toEqual([]);
  });

  test('tells the range of values, of any source, and copies among them', async () => {
    const images = Float32Array.from({ length: 16 }, (_, i) => (i % 4) * 10);
    const report = await checkSamples(arraySource({ images, shape: [1, 2, 2], unbounded: true }));
    expect(report.values).toMatchObject({ least: 0, most: 30, mean: 15, deviation: Math.sqrt(125) });
    expect(report.sizes).toEqual([]);
    expect(report.duplicates.count).toBe(3);
    expect(report.duplicates.pairs).toContainEqual(['sample 3', 'sample 0']);
    expect(report.findings[0]).toEqual({
      about: 'values',
      status: 'fail',
      text: expect.stringMatching(
        /^The data are not in \[-1, 1\]: the set holds values from 0 to 30.*2 x \/ 255 - 1/,
      ) as string,
    });
    const scaled = arraySource({
      images: images.map((value) => value / 10),
      shape: [1, 2, 2],
      unbounded: true,
    });
    const latents = await checkSamples({ ...scaled, record: { kind: 'latents', scale: 0.1, shift: 0 } });
    const [only, ...others] = latents.latents!.channels;
    expect([latents.latents!.scale, latents.latents!.shift, others]).toEqual([0.1, 0, []]);
    expect(only!.mean).toBeCloseTo(1.5, 6);
    expect(only!.deviation).toBeCloseTo(Math.sqrt(1.25), 6);
    expect(latents.advice.join()).toContain('Set data.shift to 15.0 and data.scale to 0.0894.');
    const odd = Float32Array.from({ length: 80 }, (_, i) => (i % 8 < 4 ? i % 3 : 9 * (i % 2)));
    const record = { kind: 'latents', scale: [1, 1], shift: [0, 0], autoencoder: 'ab'.repeat(32) };
    const both = await checkSamples({
      ...arraySource({ images: odd, shape: [2, 2, 2], unbounded: true }),
      record,
    });
    expect(both.latents).toMatchObject({ autoencoder: record.autoencoder, scale: [1, 1] });
    expect(both.latents!.channels[1]).toEqual({ mean: 4.5, deviation: 4.5 });
    expect(both.advice.join()).toMatch(
      /Channel 0 has 0\.975 and 0\.821\. Of data\.source latents set data\.scaling/,
    );
    const flat = await checkSamples(arraySource({ images: new Float32Array(4), shape: [1, 2, 2] }));
    expect(flat.advice).toEqual(['All values are nearly the same: there is nothing to learn.']);
  });

  test('stops at a signal, which it hears also while it reads from memory', async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 100);
    const read = (): object => ({});
    const source = { name: 'set', count: Infinity, shape: [1], read };
    await expect(checkSamples(source, { signal: controller.signal })).rejects.toThrow('aborted');
  });

  test('tells of cells how they were normalised, and how many values are zero', async () => {
    const genes = ['a', 'b'];
    const scale = { center: [1, 2], deviation: [0.5, 4] };
    const record = { kind: 'expression', genes, label: 'type', normalize: 'log1p', target: 10, ...scale };
    const zero = [-2, -0.5];
    const cells = [zero, [3, -0.5], [-2, 1]];
    const source: Source = {
      name: 'cells',
      count: 3,
      shape: [2],
      record: { ...record, totals: [[1]] },
      read: (index, out) => (out.set(cells[index]!), {}),
    };
    expect((await checkSamples(source)).expression).toEqual({
      genes: 2,
      label: 'type',
      normalize: 'log1p',
      target: 10,
      areCounts: true,
      zeros: 4 / 6,
      emptyCells: 1,
    });
    expect((await checkSamples({ ...source, record })).expression?.areCounts).toBe(false);
  });

  test('a fault of the program is no fault of the data', async () => {
    const broken = () => {
      throw new TypeError('broken');
    };
    const source = { name: 'set', count: 1, shape: [1, 1, 1], read: broken };
    await expect(checkSamples(source)).rejects.toThrow(TypeError);
    await expect(checkSamples(source)).rejects.not.toThrow(RectiflowError);
  });
});

describe('verdicts', () => {
  const of = async (images: Float32Array, more: Partial<Source> = {}): Promise<string[]> => {
    const source = arraySource({ images, shape: [1, 2, 2], unbounded: true });
    const { findings } = await checkSamples({ ...source, ...more });
    return findings.filter(({ about }) => about === 'values').map(({ status, text }) => `${status} ${text}`);
  };

  test('on values in [0, 1] are that they are not in [-1, 1]', async () => {
    const unit = Float32Array.from({ length: 16 }, (_, i) => i / 15);
    expect(await of(unit)).toEqual([
      expect.stringMatching(
        /^fail The data are not in \[-1, 1\]: the set holds values from 0 to 1, .*2 x - 1/,
      ),
    ]);
    expect(await of(unit.map((value) => 2 * value - 1))).toEqual([]);
  });

  test('on bytes without a dark one are that nothing is amiss: they are in [-1, 1] by being read', async () => {
    const images = Uint8Array.from({ length: 16 }, (_, i) => 200 + i);
    const { findings } = await checkSamples(arraySource({ images, shape: [1, 2, 2] }));
    expect(findings).toEqual([]);
  });

  test('on a value that is not finite are that nothing can be learnt', async () => {
    const read: Source['read'] = (_, out, offset) => {
      out.set([0.5, NaN, -1, 1], offset);
      return {};
    };
    expect(await of(new Float32Array(4), { read })).toEqual([
      expect.stringMatching(/^fail Some values are NaN/),
    ]);
  });

  test('on latents of another scale tell both settings; those that are nearly right are not refused', async () => {
    const record = { kind: 'latents', scale: 1, shift: 0 };
    const wide = Float32Array.from({ length: 16 }, (_, i) => 100 * (i % 4));
    expect(await of(wide, { record })).toEqual([
      expect.stringMatching(
        /^fail .*not of the scale of the noise.* Set data\.shift to 150 and data\.scale to 0\.0089/,
      ),
    ]);
    expect(
      await of(
        wide.map((value) => value / 50),
        { record },
      ),
    ).toEqual([
      expect.stringMatching(
        /^warn Values have the mean 3\.00 .* Set data\.shift to 3\.00 and data\.scale to 0\.447/,
      ),
    ]);
  });

  test('on samples that cannot be read follow the policy of the training', async () => {
    const good = await Promise.all(Array.from({ length: 29 }, (_, i) => noisy(8, 8, i)));
    const source = imagesOf([...good, new Uint8Array(0)]);
    expect((await checkSamples(source)).findings[0]).toMatchObject({ about: 'data', status: 'fail' });
    expect((await checkSamples(source, { onBadSample: 'skip' })).findings[0]).toMatchObject({
      status: 'warn',
    });
    const half = imagesOf([...good.slice(0, 9), new Uint8Array(0)]);
    expect((await checkSamples(half, { onBadSample: 'skip' })).findings[0]).toMatchObject({ status: 'fail' });
  });

  test('on copies tell those of which the model is told something else', async () => {
    const [one, other] = [await noisy(8, 8), await noisy(8, 8, 1)];
    const label = (index: number): number => Math.floor(index / 2);
    const report = await checkSamples(imagesOf([one, one, other, one], { label }));
    expect(report.duplicates).toEqual({
      count: 1,
      pairs: [['1.png', '0.png']],
      conflicts: { count: 1, pairs: [['3.png', '0.png']] },
    });
    expect(report.advice).toContainEqual(
      'Copies of other samples with another class: 1. The model is told different things of the same: keep the one that is right.',
    );
    const captions = ['a cat', 'a cat', 'a dog', 'a mat'];
    const captioned = await checkSamples(
      imagesOf([one, one, other, one], { caption: (index) => captions[index]! }),
    );
    expect(captioned.duplicates.conflicts.pairs).toEqual([['3.png', '0.png']]);
    expect(captioned.advice.join()).toContain('Copies of other samples with another caption: 1');
  });
});
