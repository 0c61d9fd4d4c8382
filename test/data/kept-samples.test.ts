import { describe, expect, it } from 'vitest';
import { arraySource } from '../../src/sources/arrays.ts';
import { keepSamples } from '../../src/data/kept-samples.ts';
import { Loader } from '../../src/data/loader.ts';
import type { Source } from '../../src/data/source.ts';

const key = { seed: 0, epoch: 0 };

/** Four pixels a sample, whose reads are counted; sample 2 holds a value that is no byte's. */
function counted(changes: Partial<Source> = {}): { source: Source; reads: number[] } {
  const reads: number[] = [];
  const source: Source = {
    name: 'counted',
    count: 6,
    shape: [1, 2, 2],
    classes: 6,
    isFixed: true,
    read: async (index, out, offset) => {
      reads.push(index);
      for (let i = 0; i < 4; i++) out[offset + i] = (17 * index + i) / 127.5 - 1;
      if (index === 2) out[offset] = 0.123;
      return { label: index };
    },
    ...changes,
  };
  return { source, reads };
}

describe('a set that is kept in memory', () => {
  it('is read once, and comes out bit for bit', async () => {
    const { source, reads } = counted();
    const kept = keepSamples(source, 24);
    for (const index of [5, 2, 0, 5, 2, 0]) {
      const [wanted, found] = [new Float32Array(6), new Float32Array(6)];
      await counted().source.read(index, wanted, 1, key);
      expect(await kept.read(index, found, 1, key)).toEqual({ label: index });
      expect(found).toEqual(wanted);
    }
    // What is no bytes is read anew.
    expect(reads).toEqual([5, 2, 0, 2]);
  });

  it.each([
    ['too large', counted().source, 23],
    ['of random crops', counted({ isFixed: false }).source, 1000],
    ['in memory already', arraySource({ images: new Uint8Array(24), shape: [1, 2, 2] }), 1000],
  ])('is none that is %s', (_, source, bytes) => {
    expect(keepSamples(source, bytes)).toBe(source);
  });

  it('does not keep what could not be read', async () => {
    let fails = true;
    const { source } = counted();
    const flaky: Source = {
      ...source,
      read: (...args) => (fails ? Promise.reject(new Error('gone')) : source.read(...args)),
    };
    const kept = keepSamples(flaky, 1000);
    await expect(kept.read(1, new Float32Array(4), 0, key)).rejects.toThrow('gone');
    fails = false;
    expect(await kept.read(1, new Float32Array(4), 0, key)).toEqual({ label: 1 });
  });

  it('gives the same batches from the loader with the cache and without', async () => {
    const { source, reads } = counted();
    const batches = async (cacheMiB: number): Promise<unknown> => {
      const loader = new Loader(source, { batchSize: 4, seed: 3, cacheMiB });
      const read = [];
      for (let i = 0; i < 6; i++) read.push(await loader.next());
      loader.close();
      return read;
    };
    const without = await batches(0);
    reads.length = 0;
    expect(await batches(1)).toEqual(without);
    expect(reads.filter((index) => index !== 2).toSorted()).toEqual([0, 1, 3, 4, 5]);
  });
});
