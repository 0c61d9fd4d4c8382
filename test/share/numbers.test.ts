import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type NumberFormat, decode, encode, formatOf, storedBytes } from '../../src/share/numbers.ts';
import { randomValues } from '../support/random.ts';

const roundTrip = (values: Float32Array, shape: readonly number[], format: NumberFormat): Float32Array => {
  const bytes = encode(values, shape, format);
  expect(bytes.length).toBe(storedBytes(shape, format));
  return decode(bytes, shape, format);
};

describe('stored numbers', () => {
  const shape = [7, 33];
  const values = Float32Array.from(randomValues(7 * 33, 4));

  it('are the same bits in float32', () => {
    const odd = Float32Array.of(-0, 2 ** -149, 3.4e38, 1 / 3);
    expect(roundTrip(odd, [4], 'float32')).toEqual(odd);
    expect(roundTrip(values, shape, 'float32')).toEqual(values);
  });

  it('are within half a step of float16', () => {
    roundTrip(values, shape, 'float16').forEach((value, i) => {
      expect(Math.abs(value - values[i]!)).toBeLessThanOrEqual(Math.abs(values[i]!) * 2 ** -11);
    });
  });

  it('are within half a step of int8 for each row, however the rows differ', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -20, max: 20 }), { minLength: 1, maxLength: 6 }), (powers) => {
        const width = 16;
        const all = Float32Array.from({ length: powers.length * width }, (_, i) => {
          return values[i % values.length]! * 10 ** powers[Math.floor(i / width)]!;
        });
        const read = roundTrip(all, [powers.length, width], 'int8');
        for (let row = 0; row < powers.length; row++) {
          const own = all.subarray(row * width, (row + 1) * width);
          const step = Math.max(...own.map(Math.abs)) / 127;
          own.forEach((value, i) => {
            expect(Math.abs(read[row * width + i]! - value)).toBeLessThanOrEqual(0.5001 * step);
          });
        }
      }),
    );
  });

  it('of a row of zeros are zeros, and the largest of a row is kept', () => {
    const rows = new Float32Array(32);
    rows.set(
      Array.from({ length: 16 }, (_, i) => i - 15),
      16,
    );
    const read = roundTrip(rows, [2, 16], 'int8');
    expect([...read.subarray(0, 16)]).toEqual(new Array(16).fill(0));
    expect(read[16]).toBeCloseTo(-15, 5);
  });

  it('of vectors stay float32, those of short rows are float16', () => {
    const formats = [[8], [8, 4], [8, 2, 2, 2], [8, 16], [8, 4, 2, 2]].map((each) => formatOf(each, 'int8'));
    expect(formats).toEqual(['float32', 'float16', 'float16', 'int8', 'int8']);
    expect([formatOf([8], 'float16'), formatOf([8, 4], 'float16'), formatOf([8, 99], 'float32')]).toEqual([
      'float32',
      'float16',
      'float32',
    ]);
  });
});
