// Samples that ranks cannot use: they are told, counted and left out as those of one process.
import { describe, expect, it } from 'vitest';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { arraySource } from '../../src/data/arrays.ts';
import { epochOrder } from '../../src/data/sampler.ts';
import type { Source } from '../../src/data/source.ts';
import { SampleReader } from '../../src/data/sample-reader.ts';
import { dataError } from '../../src/tensor/errors.ts';
import { streams } from '../../src/tensor/random-streams.ts';
import { completeTraining } from '../../src/train/complete.ts';
import { otherRanks } from '../../src/train/ranks/other-ranks.ts';
import type { TrainingConfig } from '../../src/train/settings.ts';
import { randomValues } from '../support/random.ts';
import { type RanksRun, trainOnRanks } from '../support/rank-trainings.ts';
import { ranksOfProcess } from '../support/ranks.ts';

const count = 60;

/** Some of whose samples cannot be read. */
function squares(bad: readonly number[]): Source {
  const images = Float32Array.from(randomValues(count * 16, 5));
  const source = arraySource({
    name: 'squares',
    images,
    shape: [1, 4, 4],
    labels: Array.from({ length: count }, (_, i) => i % 3),
  });
  return {
    ...source,
    read(index, ...given) {
      if (bad.includes(index)) throw dataError(`${index}.png`, 'is no picture', 'Make it anew');
      return source.read(index, ...given);
    },
  };
}

function config(source: Source, heldOut = 0, seed = 0): TrainingConfig {
  return completeTraining(
    {
      seed,
      model: {
        kind: 'dit',
        width: 8,
        depth: 1,
        heads: 1,
        patchSize: 4,
        channels: 1,
        imageSize: [4, 4],
        classes: 3,
        timeScale: 1000,
        reverseTime: false,
      },
      train: { steps: 10, batchSize: 8, shards: 4, logEvery: 1, sampleEvery: 0, checkpointEvery: 0 },
      loader: { onBadSample: 'skip' },
      heldOut: { count: heldOut, every: 2 },
      sample: { steps: 1, perClass: 1 },
    },
    source,
  );
}

function run(ranks: number, bad: readonly number[], heldOut = 0, seed = 0): Promise<RanksRun> {
  return trainOnRanks({
    config: (source) => config(source, heldOut, seed),
    open: () => squares(bad),
    backend: referenceBackend,
    ranks,
  });
}

const numbers = ({ metrics }: RanksRun): unknown =>
  metrics.map(({ loss, gradNorm, heldOutLoss, trainedLoss }) => [loss, gradNorm, heldOutLoss, trainedLoss]);

describe('bad samples of ranks', () => {
  it('are each told once, counted together, and stood in for by the same ones', async () => {
    const bad = [7, 8, 31];
    const one = await run(1, bad);
    const told = bad.map((index) => `${index}.png: is no picture. Make it anew.`);
    const summary = '3 of 60 samples (5 %) were left out: sample 7, sample 8, sample 31 of squares';
    for (const ranks of [2, 4]) {
      const many = await run(ranks, bad);
      expect(numbers(many)).toEqual(numbers(one));
      for (const { notices } of [one, many]) {
        const skipped = notices.filter((text) => text.startsWith('skipped'));
        const order = skipped.map((text) => text.slice(0, text.indexOf(':')));
        expect(order).toEqual(['skipped (1 so far)', 'skipped (2 so far)', 'skipped (3 so far)']);
        expect(skipped.map((text) => text.slice(text.indexOf(': ') + 2)).toSorted()).toEqual(told.toSorted());
        expect(notices.at(-1)!.replaceAll(' of squares,', ',')).toBe(summary);
      }
    }
  });

  it('end the run where they are too many of the set, although no rank has met so many', async () => {
    // A twentieth of the set is 3; each of these is met by another rank.
    const bad = epochOrder(count, 0, 0).filter((_, i) => i < 8 && i % 2 === 0);
    const failure = 'squares: 4 of its 60 samples cannot be used, after ';
    await expect(run(1, [...bad])).rejects.toThrow(failure);
    await expect(run(4, [...bad])).rejects.toThrow(failure);
  });

  it('among those held out are told, too, and of the whole set', async () => {
    const isHeldOut = (seed: number): boolean =>
      epochOrder(count, seed, 0, streams.heldOut).slice(0, 20).includes(7);
    const seed = Array.from({ length: 1000 }, (_, i) => i).find(isHeldOut)!;
    const one = await run(1, [7], 20, seed);
    const many = await run(4, [7], 20, seed);
    expect(many.notices).toEqual(one.notices);
    expect(many.notices).toContain('skipped among the samples held out: 7.png: is no picture. Make it anew.');
    expect(numbers(many)).toEqual(numbers(one));
  });
});

describe('readers of ranks', () => {
  it('hear of no more when they are closed', async () => {
    const [first, second] = ranksOfProcess(2);
    const told: string[] = [];
    const readerOf = (communicator: typeof first): SampleReader =>
      new SampleReader(squares([3, 9]), {
        onBadSample: 'skip',
        others: otherRanks(communicator, 'some'),
        onBad: ({ message }) => told.push(message),
      });
    const [counting, other] = [readerOf(first), readerOf(second)];
    const key = { seed: 0, epoch: 0 };
    await other.read(3, new Float32Array(16), 0, key);
    await Promise.resolve();
    expect([counting.skippedIndices, other.skippedIndices]).toEqual([[3], [3]]);
    counting.close();
    await other.read(9, new Float32Array(16), 0, key);
    await Promise.resolve();
    expect(counting.skippedIndices).toEqual([3]);
    expect(told).toEqual(['3.png: is no picture. Make it anew.']);
  });
});

it('what stands in for the samples of a bucket that holds none that can be used does not depend on what was met before', async () => {
  const bad = [2, 5, 8];
  const source: Source = {
    ...squares(bad),
    count: 9,
    sizes: {
      shapes: [
        [1, 4, 4],
        [1, 8, 2],
        [1, 2, 8],
      ],
      of: (index) => index % 3,
    },
  };
  const key = { seed: 0, epoch: 0, shape: [1, 2, 8] } as const;
  const standIn = async (met: readonly number[]): Promise<Float32Array> => {
    const reader = new SampleReader(source, { onBadSample: 'skip', whole: Infinity });
    const out = new Float32Array(16);
    for (const index of met) await reader.read(index, out, 0, key);
    await reader.read(2, out, 0, key);
    return out;
  };
  const wanted = await standIn([]);
  for (const met of [[5], [8], [5, 8], [8, 5], [2]]) expect(await standIn(met)).toEqual(wanted);
});
