import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Source } from '../../../src/data/source.ts';
import { dataError } from '../../../src/tensor/errors.ts';
import { encodeSource } from '../../../src/sources/latents/encode.ts';
import type { EncodeSourceOptions } from '../../../src/sources/latents/encoder.ts';
import { verifyLatents } from '../../../src/sources/latents/verify.ts';
import {
  count,
  encode,
  encoder,
  encodingOf,
  open,
  pictures,
  readAll,
  scaled,
  settings,
} from './made-pictures.ts';

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'encode-'));
});
afterAll(() => rm(root, { recursive: true }));

let made = 0;
const folder = (): string => join(root, String(made++));

describe('what is refused', () => {
  test('a folder of something else, and one that is not complete', async () => {
    const path = folder();
    await mkdir(path);
    await writeFile(join(path, 'photo.jpg'), 'x');
    await expect(encode(path)).rejects.toThrow(
      /holds photo\.jpg, and no latents\. Remove it, or encode into another/,
    );
    const stopped = folder();
    const signal = AbortSignal.abort(new Error('stopped'));
    await expect(encode(stopped, { signal })).rejects.toThrow('stopped');
    await expect(open(stopped)).rejects.toThrow(/is not complete.*goes on where it was stopped/);
  });

  test('other images, other settings, another autoencoder, before and after the end', async () => {
    const path = folder();
    await expect(encode(path, { signal: AbortSignal.abort(new Error('stopped')) })).rejects.toThrow(
      'stopped',
    );
    for (const isDone of [false, true]) {
      if (isDone) await encode(path);
      const other = { ...settings.autoencoder, fingerprint: 'd'.repeat(64) };
      await expect(encode(path, {}, { autoencoder: other })).rejects.toThrow(
        /latents of another autoencoder: kl eeeeeeeeeeee, this one is kl dddddddddddd/,
      );
      await expect(encode(path, {}, { flip: 0, precision: 'float16' })).rejects.toThrow(
        /precision "float32" -> "float16", flip 0\.5 -> 0\. Set them back/,
      );
      await expect(encode(path, {}, { fingerprint: 'g' })).rejects.toThrow(/fingerprint "f" -> "g"/);
    }
  });

  test('an autoencoder that makes what is no number, and what float16 does not hold', async () => {
    const broken = (value: number): EncodeSourceOptions['encoder'] => ({
      ...encoder(),
      encode: async (_, batch) => ({
        mean: new Float32Array(4 * batch).fill(value),
        deviation: new Float32Array(4 * batch),
      }),
    });
    await expect(encode(folder(), { encoder: broken(NaN) })).rejects.toThrow(
      /pictures: the autoencoder makes the value NaN of sample 0 of pictures/,
    );
    await expect(encode(folder(), { encoder: broken(7e4) }, { precision: 'float16' })).rejects.toThrow(
      /too large for float16.*--precision float32/,
    );
  });

  test('an image that cannot be read, unless it may be left out', async () => {
    const bad = (mirrored: boolean): Source => {
      const source = pictures(mirrored, { count: 40 });
      return {
        ...source,
        read(index, ...rest) {
          if (index === 5) throw dataError('photos/5.png', 'is damaged', 'Fetch it again');
          return source.read(index, ...rest);
        },
      };
    };
    const path = folder();
    const forty = { samples: 40, onBadSample: 'fail' } as const;
    await expect(encode(path, { mirrored: bad(true) }, forty, bad(false))).rejects.toThrow(
      /photos\/5\.png: is damaged.*onBadSample=skip/,
    );
    const left = folder();
    const notices: string[] = [];
    const skip = { samples: 40, onBadSample: 'skip' } as const;
    const options = { mirrored: bad(true), onNotice: (text: string) => notices.push(text) };
    const manifest = await encode(left, options, skip, bad(false));
    expect(manifest.count).toBe(39);
    expect(notices.join('\n')).toMatch(/skipped: photos\/5\.png: is damaged[\s\S]*1 of 40 samples/);
    const samples = await readAll(await open(left));
    expect(samples[5]).toEqual([scaled(encodingOf(6, false).mean), { label: 0 }]);
  });

  test('shards that are not as they were written', async () => {
    const path = folder();
    await encode(path);
    expect((await verifyLatents(path)).count).toBe(count);
    const shard = join(path, '000001.safetensors');
    const bytes = await readFile(shard);
    bytes[bytes.length - 1]! ^= 1;
    await writeFile(shard, bytes);
    await expect(verifyLatents(path)).rejects.toThrow(/000001\.safetensors: has changed: SHA-256/);
    await truncate(shard, bytes.length - 1);
    await expect(open(path)).rejects.toThrow(/000001\.safetensors: has \d+ bytes, \d+ were written/);
    await rm(shard);
    await expect(open(path)).rejects.toThrow(/000001\.safetensors: no such file/);
  });
});

test('latents of images and of mirrored ones, with labels, scale and the numbers of each channel', async () => {
  const path = folder();
  const progress: number[] = [];
  const calls: number[] = [];
  const { statistics, shards } = await encode(path, {
    encoder: encoder(calls),
    onProgress: (done) => progress.push(done),
  });
  expect(shards.map((shard) => [shard.name, shard.count])).toEqual([
    ['000000.safetensors', 4],
    ['000001.safetensors', 4],
    ['000002.safetensors', 3],
  ]);
  expect(progress.at(-1)).toBe(count);
  expect(calls).toEqual([3, 3, 1, 1, 3, 3, 1, 1, 3, 3]);
  const source = await open(path);
  expect([source.count, source.shape, source.classes, source.classNames]).toEqual([
    count,
    [2, 1, 2],
    3,
    ['a', 'b', 'c'],
  ]);
  expect(source.record).toEqual({ kind: 'latents', scale: 2, shift: 0.5, autoencoder: 'e'.repeat(64) });
  const plain = await readAll(source);
  const mirrored = await readAll(await open(path, { flip: 1 }));
  for (let place = 0; place < count; place++) {
    const [values, annotation] = plain[place]!;
    expect(values).toEqual(scaled(encodingOf(place, false).mean));
    expect(annotation).toEqual({ label: place % 3 });
    expect(mirrored[place]![0]).toEqual(scaled(encodingOf(place, true).mean));
  }
  const all = Array.from({ length: count }, (_, place) => [
    encodingOf(place, false),
    encodingOf(place, true),
  ]).flat();
  for (const channel of [0, 1]) {
    const of = (values: readonly number[]): readonly number[] => values.slice(2 * channel, 2 * channel + 2);
    const means = all.flatMap((each) => of(each.mean));
    const mean = means.reduce((sum, value) => sum + value, 0) / means.length;
    const spread = all.flatMap((each) => of(each.deviation)).reduce((sum, value) => sum + value ** 2, 0);
    const square = means.reduce((sum, value) => sum + (value - mean) ** 2, spread) / means.length;
    expect(statistics.mean[channel]).toBeCloseTo(mean, 7);
    expect(statistics.deviation[channel]).toBeCloseTo(Math.sqrt(square), 7);
  }
  const standard = await open(path, { scaling: 'statistics' });
  expect((standard.record as { shift: unknown }).shift).toEqual(statistics.mean);
  await standard.close!();
});

test('images are mirrored as often as they were to be when they were encoded, where nothing else is said', async () => {
  const path = folder();
  await encode(path, {}, { flip: 1 });
  const samples = await readAll(await open(path, { flip: 'auto' }));
  samples.forEach(([values], place) => expect(values).toEqual(scaled(encodingOf(place, true).mean)));
});

test('half of the bytes in float16, to its precision', async () => {
  const [single, half] = [folder(), folder()];
  await encode(single);
  await encode(half, {}, { precision: 'float16' });
  const [exact, rounded] = [await readAll(await open(single)), await readAll(await open(half))];
  exact.forEach(([values], place) =>
    values.forEach((value, i) => expect(Math.abs(rounded[place]![0][i]! - value)).toBeLessThan(2e-3)),
  );
  expect(rounded).not.toEqual(exact);
});

describe('captions', () => {
  const captioned = (several: boolean): Source => {
    const { classes: _, classNames: __, ...source } = pictures(false);
    const captions = (index: number): string | string[] =>
      several ? [`one ${index}`, `other ${index}`] : `a "caption"\nof ${index}`;
    return {
      ...source,
      captions: true,
      ...(several && { severalCaptions: true, caption: captions }),
      async read(index, out, offset, key) {
        await source.read(index, out, offset, key);
        return { caption: [captions(index)].flat()[0]! };
      },
    };
  };

  test.each([false, true])('are carried over, several: %s', async (several) => {
    const { classes: _, classNames: __, ...rest } = settings;
    const path = folder();
    const told = { ...rest, captions: several ? 'several' : 'one', flip: 0 } as const;
    await encodeSource(captioned(several), path, { encoder: encoder(), settings: told, batchSize: 4 });
    const source = await open(path);
    expect([source.captions, source.severalCaptions ?? false]).toEqual([true, several]);
    expect(await source.caption!(9)).toEqual(several ? ['one 9', 'other 9'] : 'a "caption"\nof 9');
    const [, annotation] = (await readAll(source))[9]!;
    expect(annotation.caption).toMatch(several ? /^(one|other) 9$/ : /^a "caption"\nof 9$/);
  });
});
