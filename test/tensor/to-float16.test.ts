import { expect, it } from 'vitest';
import { toFloat16 } from '../../src/tensor/to-float16.ts';
import { toFloat32 } from '../../src/tensor/to-float32.ts';

const numbersOf = (bits: Uint16Array): Float32Array =>
  toFloat32({ dtype: 'F16', shape: [bits.length], data: bits });

it('keeps every number that float16 has', () => {
  const bits = Uint16Array.from({ length: 0x10000 }, (_, i) => i).filter((word) => (word & 0x7fff) <= 0x7c00);
  expect(toFloat16(numbersOf(bits))).toEqual(bits);
});

it('rounds to the nearest, ties to even', () => {
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
  const rounded = numbersOf(toFloat16(Float32Array.from(cases, ([value]) => value!)));
  expect([...rounded]).toEqual(cases.map(([, wanted]) => wanted));
});

it('keeps what is not a number', () => {
  expect(numbersOf(toFloat16(Float32Array.of(NaN)))[0]).toBeNaN();
});
