import { describe, expect, test } from 'vitest';
import { type Counter, type Key, philox4x32, philoxNormal, philoxUniform } from '../../src/tensor/philox.ts';

const draw = { seed: 2 ** 40 + 3, stream: 1, step: 5, firstSample: 0, samples: 8, elements: 8192 };

function mean(values: ArrayLike<number>, f: (x: number) => number = (x) => x): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += f(values[i]!);
  return total / values.length;
}

describe('philox4x32', () => {
  // kat_vectors of Random123, the library of the paper's authors.
  const known: [Counter, Key, number[]][] = [
    [
      [0, 0, 0, 0],
      [0, 0],
      [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
    ],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
      [0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ];

  test.each(known)('counter %j, key %j', (counter, key, words) => {
    expect(philox4x32(counter, key)).toEqual(words);
  });
});

describe('philoxUniform', () => {
  test('takes element j from word j mod 4 of block floor(j / 4) of its sample', () => {
    const values = philoxUniform({ ...draw, firstSample: 7, samples: 2, elements: 6 });
    const words = philox4x32([1, 8, 5, 1], [3, 256]);
    expect(values[6 + 4]).toBe(((words[0] >>> 8) + 0.5) / 2 ** 24);
    expect(values[6 + 5]).toBe(((words[1] >>> 8) + 0.5) / 2 ** 24);
  });

  test('has the moments of the uniform distribution', () => {
    const values = philoxUniform(draw);
    expect(mean(values)).toBeCloseTo(1 / 2, 2);
    expect(mean(values, (x) => (x - 0.5) ** 2)).toBeCloseTo(1 / 12, 2);
    expect(mean(values, (x) => Number(x > 0 && x < 1))).toBe(1);
  });

  test('stays below 1 in float32', () => {
    const place = { seed: 0, stream: 0, step: 0, firstSample: 921823, samples: 1, elements: 3 };
    expect(philox4x32([0, 921823, 0, 0], [0, 0])[2] >>> 8).toBe(0xffffff);
    expect(Math.fround(philoxUniform(place)[2]!)).toBe(1 - 2 ** -24);
  });

  test('refuses a seed that a number cannot hold exactly', () => {
    expect(() => philoxUniform({ ...draw, seed: 2 ** 53 })).toThrow(
      'philox: seed must be an integer in [0, 2^53), got 9007199254740992',
    );
  });
});

describe('philoxNormal', () => {
  test('is the Box-Muller transform of the uniform numbers, pair by pair', () => {
    const u = philoxUniform(draw);
    const z = philoxNormal(draw);
    for (let i = 0; i < 64; i += 2) {
      expect(z[i]! ** 2 + z[i + 1]! ** 2).toBeCloseTo(-2 * Math.log(u[i]!), 12);
      const angle = Math.atan2(z[i + 1]!, z[i]!);
      expect(Math.cos(angle)).toBeCloseTo(Math.cos(2 * Math.PI * u[i + 1]!), 12);
      expect(Math.sin(angle)).toBeCloseTo(Math.sin(2 * Math.PI * u[i + 1]!), 12);
    }
  });

  test('has the moments of the normal distribution', () => {
    const values = philoxNormal(draw);
    expect(Math.abs(mean(values))).toBeLessThan(0.02);
    expect(mean(values, (x) => x ** 2)).toBeCloseTo(1, 1);
    expect(Math.abs(mean(values, (x) => x ** 3))).toBeLessThan(0.05);
    expect(Math.abs(mean(values, (x) => x ** 4) - 3)).toBeLessThan(0.15);
  });

  test('neighbouring elements, samples, steps and streams are uncorrelated', () => {
    const values = philoxNormal(draw);
    const correlation = (other: Float64Array, shift: number): number =>
      mean(values.subarray(shift).map((x, i) => x * other[i]!));
    expect(Math.abs(correlation(values, 1))).toBeLessThan(0.02);
    expect(Math.abs(correlation(values, draw.elements))).toBeLessThan(0.02);
    expect(Math.abs(correlation(philoxNormal({ ...draw, step: 6 }), 0))).toBeLessThan(0.02);
    expect(Math.abs(correlation(philoxNormal({ ...draw, stream: 2 }), 0))).toBeLessThan(0.02);
  });

  test('draws the same numbers however the batch is split', () => {
    const whole = philoxNormal({ ...draw, samples: 5, elements: 7 });
    const parts = [0, 2, 3].map((firstSample, i) =>
      philoxNormal({ ...draw, firstSample, samples: [2, 1, 2][i]!, elements: 7 }),
    );
    expect(parts.flatMap((part) => [...part])).toEqual([...whole]);
  });

  test('a sample of one element takes the first of its block', () => {
    const one = philoxNormal({ ...draw, elements: 1 });
    const four = philoxNormal({ ...draw, elements: 4 });
    expect([...one]).toEqual([...one].map((_, sample) => four[4 * sample]));
  });
});
