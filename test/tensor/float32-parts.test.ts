import { expect, it } from 'vitest';
import { fromFloat32Parts, toFloat32Parts } from '../../src/tensor/float32-parts.ts';
import { randomValues } from '../support/random.ts';

it('parts of a number add up to it, to its last bit', () => {
  const some = Array.from(randomValues(10_000, 3), (value, i) => (1.5 + value / 2) * 2 ** ((i % 200) - 77));
  const numbers = [0, 1, -1, 1 / 3, Math.PI, 0.1, 1e-6, 1 + 2 ** -52, 2 ** -77, 3.4e38, ...some];
  expect(fromFloat32Parts(toFloat32Parts(numbers))).toEqual(numbers);
});

it('what is not finite stays so', () => {
  expect(fromFloat32Parts(toFloat32Parts([Infinity, -Infinity, NaN]))).toEqual([Infinity, -Infinity, NaN]);
});
