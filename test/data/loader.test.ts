import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { arraySource } from '../../src/data/arrays.ts';
import { Loader } from '../../src/data/loader.ts';
import { Sampler, epochOrder } from '../../src/data/sampler.ts';
import type { Source } from '../../src/data/source.ts';

describe('epochOrder', () => {
  test('is a permutation, the same for the same (seed, epoch), another for others', () => {
    for (const count of [1, 2, 7, 1000]) {
      expect([...epochOrder(count, 3, 5)].toSorted((a, b) => a - b)).toEqual(
        Array.from({ length: count }, (_, i) => i),
      );
    }
    const order = epochOrder(100, 2 ** 40 + 1, 0);
    expect(epochOrder(100, 2 ** 40 + 1, 0)).toEqual(order);
    for (const other of [epochOrder(100, 1, 0), epochOrder(100, 2 ** 40 + 1, 1)])
      expect(other).not.toEqual(order);
  });

  test('all six orders of three samples are about equally frequent', () => {
    const seen = new Map<string, number>();
    for (let epoch = 0; epoch < 6000; epoch++) {
      const order = epochOrder(3, 0, epoch).join('');
      seen.set(order, (seen.get(order) ?? 0) + 1);
    }
    expect(seen.size).toBe(6);
    for (const times of seen.values()) expect(Math.abs(times - 1000)).toBeLessThan(150);
  });

  test('stays what it was: checkpoints depend on it', () => {
    expect([...epochOrder(8, 0, 0)]).toEqual([5, 1, 6, 2, 4, 7, 3, 0]);
  });
});

describe('Sampler', () => {
  test.each([
    [{ count: 0, batchSize: 1 }, /count must be a whole number above 0, got 0/],
    [{ count: 4, batchSize: 0.5 }, /batchSize must be a whole number above 0, got 0.5/],
    [{ count: 4, batchSize: 1, position: { epoch: 0, offset: 4 } }, /offset below 4.*data set changed/],
    [{ count: 4, batchSize: 1, position: { epoch: -1, offset: 0 } }, /epoch from 0/],
  ])('%#: bad options are refused', (options, message) => {
    expect(() => new Sampler({ seed: 0, ...options })).toThrow(message);
  });

  test('every sample once per epoch, whatever the batch size, and any position can be resumed', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 50 }),
        fc.nat(9),
        (count, batchSize, cut) => {
          const options = { count, batchSize, seed: 9 };
          const sampler = new Sampler(options);
          const batches = Array.from({ length: 10 }, () => sampler.next());
          const stream = batches.flatMap(({ indices }) => [...indices]);
          for (let start = 0; start + count <= stream.length; start += count) {
            expect(new Set(stream.slice(start, start + count)).size).toBe(count);
          }
          const resumed = new Sampler({ ...options, position: batches[cut]!.position });
          for (const batch of batches.slice(cut + 1)) expect(resumed.next()).toEqual(batch);
        },
      ),
      { numRuns: 50 },
    );
  });

  test('the position after the last sample of an epoch is the start of the next', () => {
    expect(new Sampler({ count: 6, batchSize: 6, seed: 0 }).next().position).toEqual({ epoch: 1, offset: 0 });
  });
});

/** Sample i is one pixel of brightness i / 100 with label i % classes. */
function numbered(count: number, classes = count): Source {
  const images = Float32Array.from({ length: count }, (_, i) => i / 100);
  const labels = Int32Array.from({ length: count }, (_, i) => i % classes);
  return arraySource({ images, labels, shape: [1, 1, 1], classes });
}

describe('Loader', () => {
  test('images, labels and positions belong together', async () => {
    const loader = new Loader(numbered(10, 3), { batchSize: 4, seed: 1 });
    const sampler = new Sampler({ count: 10, batchSize: 4, seed: 1 });
    for (let i = 0; i < 6; i++) {
      const { indices, position } = sampler.next();
      const batch = await loader.next();
      expect(batch.position).toEqual(position);
      expect(batch.images).toEqual(Float32Array.from(indices, (index) => index / 100));
      expect(batch.labels).toEqual(Int32Array.from(indices, (index) => index % 3));
    }
    loader.close();
    await expect(loader.next()).rejects.toThrow(/closed/);
  });

  test('goes on from a position, as an async iterator that closes itself', async () => {
    const options = { batchSize: 4, seed: 1 };
    const first = new Loader(numbered(10), options);
    await first.next();
    const { position } = await first.next();
    const second = new Loader(numbered(10), { ...options, position });
    for await (const batch of second) {
      expect(batch).toEqual(await first.next());
      break;
    }
    await expect(second.next()).rejects.toThrow(/closed/);
    first.close();
  });

  test('reads ahead while the caller is away, and no further than it may', async () => {
    let reads = 0;
    const slow: Source = {
      ...numbered(100),
      read: async (index, out, offset) => {
        reads++;
        await new Promise((resolve) => setTimeout(resolve, index % 3));
        out[offset] = index / 100;
        return index;
      },
    };
    const loader = new Loader(slow, { batchSize: 5, seed: 0, prefetch: 3 });
    const { images, labels } = await loader.next();
    expect(images).toEqual(Float32Array.from(labels, (label) => label / 100));
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(reads).toBe(20);
    loader.close();
  });

  test('a label out of range names the sample', async () => {
    const source: Source = { ...numbered(3), name: 'pets', read: (index) => (index === 2 ? 3 : index) };
    await expect(new Loader(source, { batchSize: 3, seed: 0 }).next()).rejects.toThrow(
      /pets: sample 2 has label 3, outside of \[0, 3\)/,
    );
  });

  test('a failing read reaches the caller of its batch, and nobody else', async () => {
    const source: Source = {
      ...numbered(100),
      read: async (index) => {
        if (index === epochOrder(100, 0, 0)[15]) throw new Error('unreadable');
        return 0;
      },
    };
    const loader = new Loader(source, { batchSize: 10, seed: 0 });
    await loader.next();
    await new Promise((resolve) => setTimeout(resolve, 5));
    await expect(loader.next()).rejects.toThrow('unreadable');
    loader.close();
  });
});
