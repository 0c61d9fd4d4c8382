import { expect, it } from 'vitest';
import type { Half } from '../../src/tensor/dtype.ts';
import { fromHalfBits, roundToHalf, toHalfBits } from '../../src/tensor/half.ts';

const everyWord = Uint16Array.from({ length: 0x10000 }, (_, i) => i);
const infinity: Record<Half, number> = { bfloat16: 0x7f80, float16: 0x7c00 };
const halves = ['bfloat16', 'float16'] as const;
/** By both ways that there are. */
function rounded(type: Half, values: readonly number[]): number[] {
  const numbers = Float32Array.from(values);
  const bits = toHalfBits(type, numbers);
  roundToHalf(type, numbers);
  expect(numbers).toEqual(fromHalfBits(type, bits));
  return [...numbers];
}

it.each(halves)('keeps every number that %s has', (type) => {
  const bits = everyWord.filter((word) => (word & 0x7fff) <= infinity[type]);
  const numbers = fromHalfBits(type, bits);
  expect(toHalfBits(type, numbers)).toEqual(bits);
  const same = numbers.slice();
  roundToHalf(type, same);
  expect(same).toEqual(numbers);
});

it.each(halves)('rounds every middle of two numbers of %s to the even one', (type) => {
  const numbers = [
    ...fromHalfBits(
      type,
      everyWord.filter((word) => word < infinity[type]),
    ),
  ];
  const middles = numbers.slice(1).map((above, i) => (above + numbers[i]!) / 2);
  const even = numbers.slice(1).map((above, i) => (i % 2 === 0 ? numbers[i]! : above));
  expect(rounded(type, middles)).toEqual(even);
  expect(
    rounded(
      type,
      middles.map((value) => -value),
    ),
  ).toEqual(even.map((value) => -value));
});

it('rounds a float64 once where it is rounded as a number', () => {
  // As a float32 it is the middle between 1 and the next float16.
  const values = Float64Array.of(1 + 2 ** -11 + 2 ** -40);
  roundToHalf('float16', values);
  expect(values[0]).toBe(1 + 2 ** -10);
});

it('rounds to the nearest float16, ties to even', () => {
  const ulp = 2 ** -10;
  const cases = [
    [1 + 0.5 * ulp, 1],
    [1 + 0.51 * ulp, 1 + ulp],
    [1 + 1.5 * ulp, 1 + 2 * ulp],
    [2 - 0.25 * ulp, 2],
    [1.5 * 2 ** -24, 2 ** -23],
    [0.5 * 2 ** -24, 0],
    [-(2 ** -14 - 2 ** -26), -(2 ** -14)],
    [65519, 65504],
    [65520, Infinity],
    [-1e30, -Infinity],
  ];
  expect(
    rounded(
      'float16',
      cases.map(([value]) => value!),
    ),
  ).toEqual(cases.map(([, wanted]) => wanted));
});

it.each(halves)('keeps what is not a number in %s, and what is beyond all numbers', (type) => {
  expect(rounded(type, [NaN, Infinity, -Infinity, 3.4028234e38])).toEqual([
    NaN,
    Infinity,
    -Infinity,
    Infinity,
  ]);
});
