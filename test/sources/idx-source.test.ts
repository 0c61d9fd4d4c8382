import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openIdx } from '../../src/sources/idx-source.ts';
import type { IdxData } from '../../src/sources/settings.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'idx-'));
  await write('images', 8, [2, 1, 2], [0, 255, 51, 204]);
  await write('colours', 8, [1, 1, 2, 3], [0, 51, 102, 153, 204, 255]);
  await write('labels', 8, [2], [3, 1]);
  await write('three', 8, [3], [0, 1, 2]);
  await write('floats', 13, [1, 1, 1], [0, 0, 0, 0]);
});
afterAll(() => rm(folder, { recursive: true }));

async function write(name: string, type: number, shape: number[], values: number[]): Promise<void> {
  const sizes = shape.flatMap((size) => [0, 0, size >> 8, size & 255]);
  await writeFile(join(folder, name), Uint8Array.from([0, 0, type, shape.length, ...sizes, ...values]));
}

function idx(images: string, labels?: string, change: Partial<IdxData> = {}): IdxData {
  const paths = {
    images: join(folder, images),
    ...(labels === undefined ? {} : { labels: join(folder, labels) }),
  };
  return { source: 'idx', pad: 0, ...paths, ...change };
}

const key = { seed: 0, epoch: 0 };

test('grey images with labels, names and a border', async () => {
  const source = await openIdx(idx('images', 'labels', { pad: 1, classNames: ['a', 'b', 'c', 'd'] }));
  expect(source).toMatchObject({ count: 2, shape: [1, 3, 4], classes: 4, classNames: ['a', 'b', 'c', 'd'] });
  const out = new Float32Array(12);
  expect(await source.read(1, out, 0, key)).toEqual({ label: 1 });
  const wanted = new Float32Array(12).fill(-1);
  wanted.set([51 / 127.5 - 1, 204 / 127.5 - 1], 5);
  expect(out).toEqual(wanted);
});

test('colours become planes; without labels', async () => {
  const source = await openIdx(idx('colours'));
  expect(source).toMatchObject({ count: 1, shape: [3, 1, 2] });
  expect(source.classes).toBeUndefined();
  const out = new Float32Array(6);
  expect(await source.read(0, out, 0, key)).toEqual({});
  expect([...out].map((value) => Math.round((value + 1) * 127.5))).toEqual([0, 153, 51, 204, 102, 255]);
});

describe('what is refused', () => {
  test.each<[IdxData | (() => IdxData), RegExp]>([
    [() => idx('none'), /none: no such file/],
    [() => idx('labels'), /labels: holds bytes \[2\], images are bytes \[N, H, W\] or \[N, H, W, 3\]/],
    [() => idx('floats'), /floats: holds values other than bytes \[1, 1, 1\]/],
    [() => idx('images', 'images'), /images: has shape \[2, 1, 2\], labels are \[N\]/],
    [() => idx('images', 'three'), /there are 2 images and 3 labels/],
    [() => idx('images', 'labels', { classNames: ['a', 'b'] }), /sample \d has label [23]/],
  ])('%#', async (data, message) => {
    await expect(openIdx(typeof data === 'function' ? data() : data)).rejects.toThrow(message);
  });
});
