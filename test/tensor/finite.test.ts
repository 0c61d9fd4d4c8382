import { expect, it } from 'vitest';
import { describeNonFinite } from '../../src/tensor/finite.ts';
import type { StoredTensor } from '../../src/tensor/stored-tensor.ts';

const tensor = (...values: number[]): StoredTensor => ({
  dtype: 'F32',
  shape: [values.length],
  data: Float32Array.from(values),
});

it('says where values are not finite, and how many', async () => {
  const fine = tensor(1, -3.4e38, 0);
  expect(await describeNonFinite(new Map([['a', fine]]))).toBeUndefined();
  expect(
    await describeNonFinite(
      new Map([
        ['a', fine],
        ['b', tensor(NaN, 1, -Infinity)],
      ]),
    ),
  ).toBe('b has 2 values that are not finite, of 3');
  const odd = new Map(['a', 'b', 'c'].map((name) => [name, tensor(Infinity)]));
  expect(await describeNonFinite(odd)).toBe(
    'a has 1 value that is not finite, of 1, and so have 2 more tensors',
  );
});

it('looks into other kinds of floats', async () => {
  const half: StoredTensor = { dtype: 'F16', shape: [2], data: Uint16Array.of(0x3c00, 0x7c00) };
  expect(await describeNonFinite(new Map([['h', half]]))).toMatch(/^h has 1 /);
});
