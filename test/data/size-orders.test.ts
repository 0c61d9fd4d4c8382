import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BucketSampler } from '../../src/data/bucket-sampler.ts';
import { keepSamples } from '../../src/data/kept-samples.ts';
import { type Batch, Loader, type LoaderOptions } from '../../src/data/loader.ts';
import { epochOrder } from '../../src/data/sampler.ts';
import { SizeSampler, drawSize } from '../../src/data/size-sampler.ts';
import { SampleReader } from '../../src/data/sample-reader.ts';
import { selectSamples } from '../../src/data/source-view.ts';
import type { ReadKey, Source } from '../../src/data/source.ts';
import { dataError } from '../../src/tensor/errors.ts';
import { streams } from '../../src/tensor/random-streams.ts';
import { type Shape, sizeOf } from '../../src/tensor/shape.ts';

const shapes: readonly Shape[] = [
  [1, 2, 4],
  [1, 3, 3],
  [1, 4, 2],
];

/** Sample i is a picture of brightness i / 127.5 - 1, of whatever shape is asked for. */
function sized(count: number, of?: (index: number) => number, changes: Partial<Source> = {}): Source {
  return {
    name: 'sized',
    count,
    shape: shapes[1]!,
    sizes: { shapes, ...(of && { of }) },
    isFixed: true,
    read: async (index, out, offset, { shape = shapes[1]! }) => {
      out.fill(index / 127.5 - 1, offset, offset + sizeOf(shape));
      return {};
    },
    ...changes,
  };
}

async function batchesOf(source: Source, count: number, options: Partial<LoaderOptions>): Promise<Batch[]> {
  const loader = new Loader(source, { batchSize: 4, seed: 7, ...options });
  const batches: Batch[] = [];
  while (batches.length < count) batches.push(await loader.next());
  loader.close();
  return batches;
}

describe('buckets', () => {
  const sets = fc
    .array(fc.nat(2), { minLength: 1, maxLength: 40 })
    .chain((buckets) =>
      fc.tuple(
        fc.constant(buckets),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 3, maxLength: 3 }),
      ),
    );

  test('every sample is read once per epoch, in batches of one bucket that are whole', () => {
    fc.assert(
      fc.property(sets, fc.nat(100), ([buckets, batchSizes], seed) => {
        const count = buckets.length;
        const batchSizeOf = (shape: Shape): number => batchSizes[shapes.indexOf(shape)]!;
        const sampler = new BucketSampler({
          count,
          batchSize: 1,
          batchSizeOf,
          seed,
          shapes,
          of: (index) => buckets[index]!,
        });
        for (const epoch of [0, 1]) {
          const seen = new Map<number, number>();
          const perBucket = shapes.map((_, bucket) => buckets.filter((each) => each === bucket).length);
          const wanted = perBucket.map((size, bucket) => Math.ceil(size / batchSizes[bucket]!));
          const total = wanted.reduce((sum, each) => sum + each, 0);
          for (let i = 0; i < total; i++) {
            const { indices, epochs, position, shape } = sampler.next();
            const bucket = shapes.indexOf(shape!);
            expect(indices).toHaveLength(batchSizes[bucket]!);
            for (const index of indices) {
              expect(buckets[index]).toBe(bucket);
              seen.set(index, (seen.get(index) ?? 0) + 1);
            }
            expect([...epochs].every((each) => each === epoch)).toBe(true);
            expect(position.epoch).toBe(i === total - 1 ? epoch + 1 : epoch);
          }
          expect(seen.size).toBe(count);
          // What fills up a bucket's last batch is spread evenly over its samples.
          for (const [bucket, size] of perBucket.entries()) {
            const times = [...seen].filter(([index]) => buckets[index] === bucket).map(([, each]) => each);
            const filled = wanted[bucket]! * batchSizes[bucket]!;
            expect(times.reduce((sum, each) => sum + each, 0)).toBe(filled);
            if (size > 0) expect(Math.max(...times)).toBe(Math.ceil(filled / size));
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  test('go on from every position, and from one of other batches at the next whole one', () => {
    fc.assert(
      fc.property(sets, fc.nat(12), ([buckets, batchSizes], cut) => {
        const options = {
          count: buckets.length,
          batchSize: 1,
          batchSizeOf: (shape: Shape) => batchSizes[shapes.indexOf(shape)]!,
          seed: 3,
          shapes,
          of: (index: number) => buckets[index]!,
        };
        const sampler = new BucketSampler(options);
        const batches = Array.from({ length: 16 }, () => sampler.next());
        const resumed = new BucketSampler({ ...options, position: batches[cut]!.position });
        for (const batch of batches.slice(cut + 1)) expect(resumed.next()).toEqual(batch);
        for (let offset = 0; offset < options.count; offset++) {
          const between = new BucketSampler({ ...options, position: { epoch: 2, offset } }).next();
          expect([2, 3]).toContain(between.epochs[0]);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('are read in an order of samples and of batches that the epoch and the seed change', () => {
    const order = (seed: number, epoch: number): string => {
      const of = (index: number): number => index % 3;
      const sampler = new BucketSampler({
        count: 30,
        batchSize: 2,
        batchSizeOf: () => 2,
        seed,
        shapes,
        of,
        position: { epoch, offset: 0 },
      });
      return Array.from({ length: 15 }, () => sampler.next().indices.join(' ')).join();
    };
    expect(order(1, 0)).toBe(order(1, 0));
    expect(new Set([order(1, 0), order(1, 1), order(2, 0)]).size).toBe(3);
  });

  test('come mixed, in an order of their own in every epoch', () => {
    for (const epoch of [0, 1]) {
      const position = { epoch, offset: 0 };
      const options = { count: 30, batchSize: 2, batchSizeOf: () => 2, seed: 4, shapes, position };
      const sampler = new BucketSampler({ ...options, of: (index) => index % 3 });
      const buckets = Array.from({ length: 15 }, () => shapes.indexOf(sampler.next().shape!));
      // Five batches of each of three.
      const order = [...epochOrder(15, 4, epoch, streams.buckets)];
      expect(buckets).toEqual(order.map((place) => Math.floor(place / 5)));
    }
  });

  test('refuse a position outside of the set', () => {
    const options = { count: 4, batchSize: 1, batchSizeOf: () => 1, seed: 0, shapes, of: () => 0 };
    expect(() => new BucketSampler({ ...options, position: { epoch: 0, offset: 4 } })).toThrow(
      /offset below 4/,
    );
  });

  test('make the same batches with 1 and 4 workers, each at its shape, in parts for two machines', async () => {
    const source = sized(23, (index) => index % 3);
    const [one, four] = [
      await batchesOf(source, 20, { workers: 1, prefetch: 1 }),
      await batchesOf(source, 20, { workers: 4, prefetch: 3 }),
    ];
    expect(four).toEqual(one);
    for (const { shape, indices, values } of one) {
      expect([...indices].every((index) => shapes[index % 3] === shape)).toBe(true);
      const expected = [...indices].flatMap((index) => Array<number>(sizeOf(shape)).fill(index / 127.5 - 1));
      expect(values).toEqual(Float32Array.from(expected));
    }
    const halves = await Promise.all(
      [0, 1].map((rank) => batchesOf(source, 20, { batchSize: 2, ranks: 2, rank })),
    );
    for (const [i, { indices }] of one.entries())
      expect([...halves[0]![i]!.indices, ...halves[1]![i]!.indices]).toEqual([...indices]);
  });
});

describe('a size that is drawn for each batch', () => {
  const options = { count: 10, batchSize: 4, batchSizeOf: () => 4, seed: 5, shapes };

  test('is a function of the seed and the number of the batch, each as likely', () => {
    const drawn = Array.from({ length: 3000 }, (_, batch) => drawSize(5, batch + 1, 3));
    for (const size of [0, 1, 2]) {
      const share = drawn.filter((each) => each === size).length / drawn.length;
      expect(Math.abs(share - 1 / 3)).toBeLessThan(0.03);
    }
    const sampler = new SizeSampler(options);
    for (let batch = 1; batch <= 30; batch++) expect(sampler.next().shape).toBe(shapes[drawn[batch - 1]!]);
    expect(Array.from({ length: 30 }, (_, batch) => drawSize(6, batch + 1, 3))).not.toEqual(
      drawn.slice(0, 30),
    );
  });

  test('takes its own number of samples from the one order of an epoch, and goes on from every position', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 30 }), fc.nat(20), (count, cut) => {
        const varied = {
          ...options,
          count,
          batchSizeOf: (shape: Shape) => 1 + shapes.indexOf(shape),
        };
        const sampler = new SizeSampler(varied);
        const batches = Array.from({ length: 24 }, () => sampler.next());
        const stream = batches.flatMap(({ indices }) => [...indices]);
        const epochs = [0, 1, 2].flatMap((epoch) => [...epochOrder(count, 5, epoch)]);
        expect(stream.slice(0, epochs.length)).toEqual(epochs.slice(0, stream.length));
        const resumed = new SizeSampler({ ...varied, position: batches[cut]!.position });
        for (const batch of batches.slice(cut + 1)) expect(resumed.next()).toEqual(batch);
      }),
      { numRuns: 40 },
    );
  });

  test('is that of the whole batch, with 1 and 4 workers', async () => {
    const batchSizeOf = (shape: Shape): number => (shape === shapes[1] ? 2 : 3);
    const [one, four] = [
      await batchesOf(sized(11), 12, { batchSizeOf, workers: 1 }),
      await batchesOf(sized(11), 12, { batchSizeOf, workers: 4, cacheMiB: 0 }),
    ];
    expect(four).toEqual(one);
    expect(new Set(one.map(({ shape }) => shape)).size).toBe(3);
    for (const { values, shape, indices } of one) {
      expect(indices).toHaveLength(batchSizeOf(shape));
      expect(values).toHaveLength(batchSizeOf(shape) * sizeOf(shape));
    }
  });
});

describe('a set of several shapes that is kept in memory', () => {
  const reader = (source: Source): ((index: number, key?: Partial<ReadKey>) => Promise<Float32Array>) => {
    return async (index, key = {}) => {
      const out = new Float32Array(sizeOf(key.shape ?? source.shape));
      await source.read(index, out, 0, { seed: 0, epoch: 0, ...key });
      return out;
    };
  };

  test.each([
    ['at each of them', undefined, 6 * 25],
    ['at its own', (index: number) => [0, 1, 0, 2, 1, 2][index]!, 2 * 25],
  ])('is kept %s', async (_, of, bytes) => {
    const reads: string[] = [];
    const source = sized(6, of, {
      read: async (index, out, offset, { shape = shapes[1]! }) => {
        reads.push(`${index} at ${shape.join('x')}`);
        out.fill((index * 20 + shape[1]!) / 127.5 - 1, offset, offset + sizeOf(shape));
        return {};
      },
    });
    expect(keepSamples(source, bytes - 1)).toBe(source);
    const kept = reader(keepSamples(source, bytes));
    const plain = reader({ ...source });
    for (const index of [4, 0, 2, 1, 5]) {
      for (const shape of of ? [shapes[of(index)]!] : shapes) {
        const wanted = await plain(index, { shape });
        reads.length = 0;
        for (let again = 0; again < 3; again++) expect(await kept(index, { shape })).toEqual(wanted);
        expect(reads).toHaveLength(1);
      }
    }
    if (of) expect(await kept(4, { shape: shapes[2]! })).toEqual(await plain(4, { shape: shapes[2]! }));
  });
});

test('some samples of a set keep the shapes that they had', () => {
  const some = selectSamples(
    sized(9, (index) => index % 3),
    2,
    (index) => 5 - index,
  );
  expect([0, 1].map((index) => some.sizes!.of!(index))).toEqual([2, 1]);
  expect(selectSamples(sized(9), 2, (index) => index).sizes).toEqual({ shapes });
});

test('in the place of a sample that cannot be read comes the next of its bucket', async () => {
  const read: number[] = [];
  const source = sized(60, (index) => (index === 7 ? 2 : index % 2), {
    read: (index) => {
      read.push(index);
      if (index === 4 || index === 7) throw dataError(`sample ${index}`, 'is damaged', 'Remove it');
      return {};
    },
  });
  const reader = new SampleReader(source, { onBadSample: 'skip' });
  const out = new Float32Array(9);
  await reader.read(4, out, 0, { seed: 0, epoch: 0 });
  await reader.read(7, out, 0, { seed: 0, epoch: 0 });
  // Where a bucket has no other, the next of any.
  expect(read).toEqual([4, 6, 7, 8]);
});
