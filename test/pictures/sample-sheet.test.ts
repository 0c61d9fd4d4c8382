import { expect, it } from 'vitest';
import { drawSampleSheet } from '../../src/pictures/sample-sheet.ts';

/** Pictures of one grey each, of 4x4. */
const values = (greys: readonly number[]): Float32Array =>
  Float32Array.from(greys.flatMap((grey) => new Array<number>(16).fill(grey / 127.5 - 1)));

it('has a row for each label, in the order in which they come, and grey where a row is shorter', async () => {
  const greys = [10, 200, 20, 30, 40];
  const annotations = [1, 0, 1, 1, 0].map((label) => ({ label }));
  const { width, height, channels, pixels } = await drawSampleSheet({
    values: values(greys),
    shape: [1, 4, 4],
    annotations,
    data: { classNames: ['nought', 'one'] },
  });
  // 16 times as large, with 2 pixels between and around them; titles have room around, too.
  const [side, gap, border] = [64, 2, 6];
  const at = (row: number, column: number): number => {
    const x = width - border - (3 - column) * (side + gap) + side / 2;
    const y = border + gap + row * (side + gap) + side / 2;
    return pixels[(y * width + x) * channels]!;
  };
  expect(height).toBe(2 * (side + gap) + gap + 2 * border);
  expect([0, 1, 2].map((column) => at(0, column))).toEqual([10, 20, 30]);
  expect([0, 1, 2].map((column) => at(1, column))).toEqual([200, 40, 128]);
});

it('is a square where samples are told nothing', async () => {
  const { width, height } = await drawSampleSheet({
    values: values([1, 2, 3, 4]),
    shape: [1, 4, 4],
    annotations: [],
    data: {},
  });
  expect(width).toBe(height);
});
