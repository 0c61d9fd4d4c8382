import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodePng, writeGrid, writeImage } from '../../src/pictures/image.ts';
import type { ImageShape } from '../../src/data/source.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'image-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function pixels(path: string): Promise<{ size: number[]; values: number[] }> {
  const { data, info } = await sharp(path).raw().toBuffer({ resolveWithObject: true });
  return { size: [info.width, info.height, info.channels], values: [...data] };
}

describe('bad input is refused', () => {
  const image = new Float32Array(4);
  test.each<[Float32Array, ImageShape, object, RegExp]>([
    [image, [4, 1, 1], {}, /\[1, H, W\] \(grey\) or \[3, H, W\] \(RGB\), got \[4, 1, 1\]/],
    [image, [1, 1, 3], {}, /images must be \[N, C, H, W\] with images of \[1, 1, 3\], got \[4\]/],
    [new Float32Array(0), [1, 1, 1], {}, /images must be/],
    [image, [1, 2, 2], { columns: 0 }, /columns must be a whole number from 1, got 0/],
    [image, [1, 2, 2], { scale: 1.5 }, /scale must be a whole number from 1, got 1.5/],
    [image, [1, 2, 2], { gap: -1 }, /gap/],
    [Float32Array.of(0, NaN), [1, 1, 1], {}, /image 1 must be numbers, got NaN/],
  ])('%#', async (images, shape, options, message) => {
    await expect(writeGrid(join(folder, 'x.png'), images, shape, options)).rejects.toThrow(message);
  });

  test('a path below a file', async () => {
    await writeFile(join(folder, 'file'), '');
    await expect(writeImage(join(folder, 'file', 'x.png'), image, [1, 2, 2])).rejects.toThrow(
      /x.png: the picture cannot be written/,
    );
  });
});

test('grey: values are clamped and rounded, folders are made', async () => {
  const path = join(folder, 'a', 'b', 'grey.png');
  await writeImage(path, Float32Array.of(-1, 1, 0, -9, Infinity, -Infinity), [1, 2, 3]);
  expect(await sharp(path).metadata()).toMatchObject({ channels: 1, width: 3, height: 2, depth: 'uchar' });
  const { data } = await sharp(path).toColourspace('b-w').raw().toBuffer({ resolveWithObject: true });
  expect([...data]).toEqual([0, 255, 128, 0, 255, 0]);
});

test('RGB: planes become interleaved, pixels are repeated', async () => {
  const path = join(folder, 'rgb.png');
  await writeImage(path, Float32Array.of(1, -1, -1, 1, 0, 0), [3, 1, 2], { scale: 2 });
  const row = [255, 0, 128, 255, 0, 128, 0, 255, 128, 0, 255, 128];
  expect(await pixels(path)).toEqual({ size: [4, 2, 3], values: [...row, ...row] });
});

describe('a palette', () => {
  const [width, height] = [64, 48];
  const ramp = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const [x, y, channel] = [Math.floor(i / 3) % width, Math.floor(i / 3 / width), i % 3];
    return [4 * x, 5 * y, 2 * (x + y)][channel]!;
  });

  test('has colours that are near, in a smaller file', async () => {
    const canvas = { width, height, channels: 3, pixels: ramp } as const;
    const [all, few] = [await encodePng(canvas), await encodePng(canvas, true)];
    expect(await sharp(few).metadata()).toMatchObject({ isPalette: true, width, height });
    expect(few.length).toBeLessThan(all.length);
    const [was, is] = await Promise.all([all, few].map((png) => sharp(png).removeAlpha().raw().toBuffer()));
    expect([...was!]).toEqual([...ramp]);
    const differences = Array.from(was!, (value, i) => Math.abs(value - is![i]!));
    expect(differences.reduce((sum, value) => sum + value) / differences.length).toBeLessThan(8);
  });

  test('is not made of grey pictures', async () => {
    const canvas = { width, height, channels: 1, pixels: ramp.subarray(0, width * height) } as const;
    expect(await encodePng(canvas, true)).toEqual(await encodePng(canvas));
  });
});

test('grid: row by row with a gap, the rest of the last row left grey', async () => {
  const path = join(folder, 'grid.png');
  const images = Float32Array.of(1, 1, 1, -1, -1, -1, 1, -1, 1);
  await writeGrid(path, images, [3, 1, 1], { columns: 2, gap: 1 });
  const [white, black, magenta, grey] = [
    [255, 255, 255],
    [0, 0, 0],
    [255, 0, 255],
    [128, 128, 128],
  ] as const;
  const rows = [white, grey, black, grey, grey, grey, magenta, grey, grey];
  expect(await pixels(path)).toEqual({ size: [3, 3, 3], values: rows.flat() });
});
