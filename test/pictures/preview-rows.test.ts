import { expect, it } from 'vitest';
import type { Canvas } from '../../src/pictures/image.ts';
import { drawRows } from '../../src/pictures/preview/rows.ts';

const grey = (value: number): Canvas => ({
  width: 8,
  height: 40,
  channels: 3,
  pixels: new Uint8Array(3 * 8 * 40).fill(value),
});

it('rows stand one below the other, with a title each to the left', async () => {
  const { width, height, pixels } = await drawRows([
    { title: 'first', pictures: [grey(1), grey(2)] },
    { title: 'second', pictures: [grey(3), grey(4)] },
  ]);
  const found = [1, 2, 3, 4].map((value) => {
    const at = pixels.indexOf(value) / 3;
    return {
      x: at % width,
      y: Math.floor(at / width),
      pixels: pixels.filter((pixel) => pixel === value).length,
    };
  });
  const [a, b, c, d] = found as [(typeof found)[0], (typeof found)[0], (typeof found)[0], (typeof found)[0]];
  expect(found.map((picture) => picture.pixels)).toEqual([960, 960, 960, 960]);
  expect([b.y, c.x, d.x]).toEqual([a.y, a.x, b.x]);
  expect(b.x).toBeGreaterThan(a.x + 8);
  expect(c.y).toBeGreaterThan(a.y + 40);
  expect(d.y).toBeLessThan(height - 40);
  const isInk = (row: number): boolean => {
    const [from, to] = [3 * row * width, 3 * (row * width + a.x)];
    return pixels.subarray(from, to).includes(0x20);
  };
  const inked = Array.from({ length: height }, (_, row) => row).filter(isInk);
  expect(inked.some((row) => row >= a.y && row < a.y + 40)).toBe(true);
  expect(inked.some((row) => row >= c.y && row < c.y + 40)).toBe(true);
});
