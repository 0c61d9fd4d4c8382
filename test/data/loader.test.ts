import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { arraySource } from '../../src/sources/arrays.ts';
import { Loader } from '../../src/data/loader.ts';
import { Sampler, epochOrder } from '../../src/data/sampler.ts';
import type { Source } from '../../src/data/source.ts';
import { RectiflowError } from '../../src/tensor/errors.ts';

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
      expect(batch.indices).toEqual(indices);
      expect(batch.values).toEqual(Float32Array.from(indices, (index) => index / 100));
      expect(batch.annotations).toEqual([...indices].map((index) => ({ label: index % 3 })));
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
        return { label: index };
      },
    };
    const loader = new Loader(slow, { batchSize: 5, seed: 0, prefetch: 3 });
    const { values, annotations } = await loader.next();
    expect(values).toEqual(Float32Array.from(annotations, ({ label }) => label! / 100));
    await vi.waitFor(() => expect(reads).toBe(20));
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(reads).toBe(20);
    loader.close();
  });

  test('a label out of range names the sample', async () => {
    const source: Source = {
      ...numbered(3),
      name: 'pets',
      read: (index) => ({ label: index === 2 ? 3 : index }),
    };
    await expect(new Loader(source, { batchSize: 3, seed: 0 }).next()).rejects.toThrow(
      /sample 2 of pets: has label 3, outside of \[0, 3\)/,
    );
  });

  test('a failing read reaches the caller of its batch, and nobody else', async () => {
    const source: Source = {
      ...numbered(100),
      read: async (index) => {
        if (index === epochOrder(100, 0, 0)[15]) throw new Error('unreadable');
        return { label: 0 };
      },
    };
    const loader = new Loader(source, { batchSize: 10, seed: 0 });
    await loader.next();
    await new Promise((resolve) => setTimeout(resolve, 5));
    await expect(loader.next()).rejects.toThrow('unreadable');
    loader.close();
  });

  test('each machine reads its own part of the same global batch', async () => {
    const options = { batchSize: 2, seed: 4, ranks: 3 };
    const whole = new Loader(numbered(10), { batchSize: 6, seed: 4 });
    const parts = [0, 1, 2].map((rank) => new Loader(numbered(10), { ...options, rank }));
    for (let step = 0; step < 5; step++) {
      const { annotations, position } = await whole.next();
      const batches = await Promise.all(parts.map((part) => part.next()));
      expect(batches.flatMap((batch) => batch.annotations)).toEqual(annotations);
      for (const batch of batches) expect(batch.position).toEqual(position);
    }
    for (const loader of [whole, ...parts]) loader.close();
    expect(() => new Loader(numbered(3), { ...options, rank: 3 })).toThrow(
      'rank must be a whole number from 0, below 3',
    );
  });

  test('at most as many reads at a time as there are workers, with the same result for any number', async () => {
    const batches = async (workers: number): Promise<unknown> => {
      let [running, most] = [0, 0];
      const source: Source = {
        ...numbered(20),
        read: async (index, out, offset, { epoch }) => {
          most = Math.max(most, ++running);
          await new Promise((resolve) => setTimeout(resolve, index % 3));
          running--;
          out[offset] = index + 100 * epoch;
          return { label: index };
        },
      };
      const loader = new Loader(source, { batchSize: 8, seed: 2, workers });
      const read = [await loader.next(), await loader.next(), await loader.next()];
      loader.close();
      expect(most).toBe(workers);
      return read;
    };
    const one = await batches(1);
    expect(await batches(3)).toEqual(one);
    expect((one as { values: Float32Array }[])[2]!.values.some((value) => value >= 100)).toBe(true);
  });
});

describe('a sample that cannot be read', () => {
  const damaged = (count: number, isBad: (index: number) => boolean): Source => ({
    name: 'damaged',
    count,
    shape: [1, 1, 1],
    classes: count,
    read: async (index, out, offset) => {
      if (isBad(index)) throw new RectiflowError('file', `${index}.png: is truncated`);
      out[offset] = index;
      return { label: index };
    },
  });

  test('ends the run by default', async () => {
    const loader = new Loader(
      damaged(100, (index) => index % 50 === 7),
      { batchSize: 100, seed: 0 },
    );
    await expect(loader.next()).rejects.toThrow(
      /^(7|57)\.png: is truncated\b.* rectiflow data check\. .*loader\.onBadSample=skip$/,
    );
  });

  test('is skipped where the run says so: named once, counted, and replaced by the next that can', async () => {
    const skipped: [string, number][] = [];
    const loader = new Loader(
      damaged(100, (index) => index === 7 || index === 8),
      {
        batchSize: 100,
        seed: 0,
        onBadSample: 'skip',
        onBad: ({ message }, count) => skipped.push([message, count]),
      },
    );
    for (let epoch = 0; epoch < 2; epoch++) {
      const order = epochOrder(100, 0, epoch);
      const wanted = [...order].map((index) => (index === 7 || index === 8 ? 9 : index));
      const { annotations, values } = await loader.next();
      expect(annotations.map(({ label }) => label)).toEqual(wanted);
      expect([...values]).toEqual(wanted);
    }
    loader.close();
    expect(skipped.map(([, count]) => count)).toEqual([1, 2]);
    expect(skipped.map(([message]) => message).toSorted()).toEqual([
      '7.png: is truncated',
      '8.png: is truncated',
    ]);
    expect(loader.skipped).toBe(2);
  });

  test.each([
    [40, (index: number) => index < 3],
    [1000, (index: number) => index % 10 === 0],
    [7, () => true],
  ])('is not skipped any more where too many of %d are: above a twentieth', async (count, isBad) => {
    const loader = new Loader(damaged(count, isBad), { batchSize: 20, seed: 0, onBadSample: 'skip' });
    const readAll = async (): Promise<void> => {
      for (let i = 0; i < 2 * count; i += 20) await loader.next();
    };
    await expect(readAll()).rejects.toThrow(
      /\d+ of its [\d,]+ samples cannot be used, after \d+ reads\. The last one: \d+\.png: is truncated/,
    );
    loader.close();
  });

  test('up to a twentieth are skipped without end', async () => {
    const loader = new Loader(
      damaged(1000, (index) => index % 25 === 3),
      {
        batchSize: 100,
        seed: 0,
        onBadSample: 'skip',
      },
    );
    for (let i = 0; i < 30; i++) await loader.next();
    expect(loader.skipped).toBe(40);
    loader.close();
  });

  test('a fault that is not of the file is never skipped', async () => {
    const source: Source = { ...numbered(10), read: () => Promise.reject(new TypeError('bug')) };
    const loader = new Loader(source, { batchSize: 2, seed: 0, onBadSample: 'skip' });
    await expect(loader.next()).rejects.toThrow('bug');
  });
});
