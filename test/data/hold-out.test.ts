import { describe, expect, it } from 'vitest';
import { holdOut } from '../../src/data/hold-out.ts';
import type { Source } from '../../src/data/source.ts';

const key = { seed: 0, epoch: 0 };

/** Sample i holds the number i. */
function numbers(count: number): Source {
  return {
    name: 'numbers',
    count,
    shape: [1],
    read(index, out, offset) {
      out[offset] = index;
      return { caption: `number ${index}` };
    },
    caption: (index) => `number ${index}`,
  };
}

async function samplesOf(source: Source): Promise<number[]> {
  const values = new Float32Array(source.count);
  for (let i = 0; i < source.count; i++) await source.read(i, values, i, key);
  return [...values];
}

describe('samples that are held out', () => {
  it('are not among those that are trained on, and all others are', async () => {
    const { trained, heldOut, seen } = holdOut(numbers(20), 5, 3);
    const [rest, held, compared] = [
      await samplesOf(trained),
      await samplesOf(heldOut),
      await samplesOf(seen),
    ];
    expect(held).toHaveLength(5);
    expect(compared).toHaveLength(5);
    expect([...rest, ...held].toSorted((a, b) => a - b)).toEqual([...Array(20).keys()]);
    expect(rest).toEqual(rest.toSorted((a, b) => a - b));
    expect(compared.every((sample) => rest.includes(sample))).toBe(true);
  });

  it('are the same for the same seed, others for another', async () => {
    const held = (seed: number): Promise<number[]> => samplesOf(holdOut(numbers(1000), 10, seed).heldOut);
    expect(await held(1)).toEqual(await held(1));
    expect(await held(1)).not.toEqual(await held(2));
  });

  it('keep their captions and what people call them', async () => {
    const { trained } = holdOut(numbers(20), 5, 3);
    const [first] = await samplesOf(trained);
    expect(await trained.caption!(0)).toBe(`number ${first}`);
    expect(trained.describe!(0)).toBe(`sample ${first}`);
  });

  it('are half of the set at most', () => {
    expect(() => holdOut(numbers(9), 5, 0)).toThrow(
      'numbers: has 9 samples, of which heldOut.count keeps 5 out of training. Set heldOut.count to 4 or less',
    );
  });
});
