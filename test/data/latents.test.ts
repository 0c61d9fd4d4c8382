import { describe, expect, test } from 'vitest';
import {
  checkLatentScale,
  describePerChannel,
  latentRecordOf,
  seenDeviation,
  toLatents,
} from '../../src/data/latents.ts';
import { writeLatents } from '../../src/data/values.ts';

/** Two samples [2, 1, 3]. */
const seen = Float32Array.of(1, 2, 3, 10, 20, 30, -1, -2, -3, 4, 5, 6);

describe('scale and shift', () => {
  test.each<[string, { scale: number | number[]; shift: number | number[] }, RegExp]>([
    [
      'of other channels',
      { scale: [1, 2, 3], shift: 0 },
      /set: scale has 3 numbers, the latents have 2 channels/,
    ],
    [
      'a shift of other channels',
      { scale: 1, shift: [0] },
      /shift has 1 numbers, the latents have 2 channels/,
    ],
    ['none', { scale: [1, 0], shift: 0 }, /scale holds 0, wanted numbers above 0/],
    ['negative', { scale: -1, shift: 0 }, /scale holds -1/],
    ['not finite', { scale: 1, shift: [0, NaN] }, /shift holds NaN, wanted finite numbers/],
  ])('are refused: %s', (_, scale, message) => {
    expect(() => checkLatentScale(scale, 2, 'set')).toThrow(message);
  });

  test('are of a channel, there and back', () => {
    const scale = { scale: [2, 4], shift: [0.5, -1] };
    const latents = toLatents(seen, scale, [2, 1, 3]);
    const wanted = [1, 1.5, 2, 1.5, 4, 6.5, 0, -0.5, -1, 0, 0.25, 0.5];
    expect([...latents]).toEqual(wanted);
    const out = new Float32Array(14);
    writeLatents(latents.subarray(0, 6), scale, out, 1, 'a');
    writeLatents(latents.subarray(6), scale, out, 7, 'b');
    expect([...out]).toEqual([0, ...seen, 0]);
  });

  test('that make what is no number are refused, by the sample', () => {
    const bad = Float32Array.of(1, NaN);
    expect(() => writeLatents(bad, { scale: [1, 1], shift: 0 }, new Float32Array(2), 0, 'photo 3')).toThrow(
      /photo 3: holds the value NaN/,
    );
  });

  test('are of latents alone', () => {
    expect(latentRecordOf(undefined)).toBeUndefined();
    expect(latentRecordOf({ kind: 'expression', scale: 1, shift: 0 })).toBeUndefined();
    expect(latentRecordOf({ kind: 'latents', scale: 'x', shift: 0 })).toBeUndefined();
    expect(latentRecordOf({ kind: 'latents', scale: 1, shift: [0, 1], more: 2 })).toEqual({
      kind: 'latents',
      scale: 1,
      shift: [0, 1],
    });
  });

  test('are told in short', () => {
    expect(describePerChannel(0.18215)).toBe('0.18215');
    expect(describePerChannel([1 / 3, 2, 3, 4, 5])).toBe('0.33333, 2, 3, 4, ... (5 channels)');
  });
});

test('the deviation that a model sees is that of all values', () => {
  const statistics = { mean: [3, -1], deviation: [2, 0.5] };
  const scale = { scale: [0.5, 2], shift: [1, -1] };
  // Channel 0: mean 1, deviation 1; channel 1: mean 0, deviation 1. Of both: mean 0.5, mean square (1 + 1 + 1) / 2.
  expect(seenDeviation(scale, statistics)).toBeCloseTo(Math.sqrt(1.5 - 0.25), 12);
});
