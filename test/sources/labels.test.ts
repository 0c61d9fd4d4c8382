import { describe, expect, test } from 'vitest';
import { type Canvas, drawGrid } from '../../src/pictures/image.ts';
import { labelGrid } from '../../src/pictures/preview/labels.ts';

const shape = [1, 48, 48] as const;
const INK = 0x20;

/** Six white images in two rows of three. */
const grid = (): Canvas => drawGrid(new Float32Array(6 * 48 * 48).fill(1), shape, { columns: 3 });
const size = { height: 48, width: 48 };

/** Whether there is ink in a rectangle. */
function isInked({ width, pixels }: Canvas, [left, top, right, bottom]: readonly number[]): boolean {
  for (let y = top!; y < bottom!; y++)
    if (pixels.subarray(3 * (y * width + left!), 3 * (y * width + right!)).includes(INK)) return true;
  return false;
}

describe('a grid', () => {
  test('without labels is as it is', async () => {
    const plain = grid();
    expect(await labelGrid(plain, { rows: [] }, size)).toBe(plain);
  });

  test('has what a row shows beside it, and what a column shows above it', async () => {
    const labelled = await labelGrid(grid(), { rows: ['cat', 'dog'], columns: ['1', '.5', '0'] }, size);
    const left = labelled.width - 8 - 148;
    const top = labelled.height - 8 - 98;
    for (const row of [0, 1])
      expect(isInked(labelled, [0, top + 50 * row, left, top + 50 * row + 48])).toBe(true);
    for (const column of [0, 1, 2])
      expect(isInked(labelled, [left + 50 * column, 0, left + 50 * column + 48, top])).toBe(true);
    // The images stay as they are.
    for (let y = top; y < top + 48; y++) expect(labelled.pixels[3 * (y * labelled.width + left)]).toBe(255);
    expect(isInked(labelled, [left, top, labelled.width, labelled.height])).toBe(false);
  });

  test('of images that are smaller than text has labels that do not lie on each other', async () => {
    const tiny = drawGrid(new Float32Array(12 * 8 * 8).fill(1), [1, 8, 8], { columns: 1 });
    const { width, height, pixels } = await labelGrid(
      tiny,
      { rows: Array.from({ length: 12 }, (_, i) => `class ${i}`), columns: ['.875'] },
      { height: 8, width: 8 },
    );
    expect(pixels).toHaveLength(3 * width * height);
  });
});
