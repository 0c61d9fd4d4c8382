// Whole runs of several ranks: what users see of them is what they see of a run of one process, to the bit.
import { describe, expect, it } from 'vitest';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import type { Source } from '../../src/data/source.ts';
import { fileError } from '../../src/tensor/errors.ts';
import { type TrainingInput, completeTraining } from '../../src/train/complete.ts';
import type { MemoryStore } from '../../src/train/memory-store.ts';
import type { StepMetrics } from '../../src/train/metrics.ts';
import type { TrainingConfig } from '../../src/train/settings.ts';
import { spoilt } from '../support/bad-data.ts';
import { type TestBackend, testBackends } from '../support/backends.ts';
import { type RanksRun, type RanksRunOptions, trainOnRanks } from '../support/rank-trainings.ts';
import { sizedStripes } from '../support/sized.ts';
import { squares, squaresDit } from '../support/squares.ts';
import { pictures, tinyAutoencoder } from '../support/tiny-autoencoder.ts';

const [reference, ...others] = testBackends() as [TestBackend, ...TestBackend[]];
const cpu = others.find(({ skip }) => skip === undefined)!;

const input = {
  model: squaresDit,
  train: { steps: 6, batchSize: 8, shards: 4, logEvery: 1, sampleEvery: 3, checkpointEvery: 0 },
  optimizer: { learningRate: 0.01, warmupSteps: 0, clipNorm: 0.5 },
  ema: { decay: 0.5, decays: [0.9], power: [0.1], snapshotEvery: 2 },
  heldOut: { count: 11, every: 2 },
  flow: { labelDropout: 0.3 },
  sample: { steps: 2, perClass: 2, labels: [0, 2], gridWeights: 'both' },
} satisfies TrainingInput;

function complete(given: TrainingInput): (source: Source) => TrainingConfig {
  return (source) => completeTraining(given, source);
}

/** What depends on the clock and the machine. */
const measured = new Set([
  'samplesPerSecond',
  'seconds',
  'dataWait',
  'memory',
  'peakMemory',
  'mfu',
  'ranks',
  'computing',
  'communication',
  'efficiency',
  'slowestRank',
  'slowdown',
]);

function withoutTimes(metrics: StepMetrics): unknown {
  return Object.fromEntries(Object.entries(metrics).filter(([name]) => !measured.has(name)));
}

function outcome({ metrics, notices, grids, badSteps, results, kept }: RanksRun): unknown {
  const ends = results.map(({ step, finished }) => ({ step, finished }));
  return {
    metrics: metrics.map(withoutTimes),
    notices,
    grids,
    badSteps,
    ends: ends[0],
    tensors: tensorsOf(kept),
  };
}

/** Of the last checkpoint, and of the averages that are stored on the way. */
function tensorsOf({ checkpoints, averages }: MemoryStore): unknown {
  const { model, ema, optimizer, averages: further } = checkpoints.at(-1)!;
  return { model, ema, optimizer, further, stored: averages };
}

async function compare(
  options: Omit<RanksRunOptions, 'ranks'>,
  ...ranks: readonly number[]
): Promise<RanksRun> {
  const one = await trainOnRanks({ ...options, ranks: 1 });
  for (const of of ranks) {
    const many = await trainOnRanks({ ...options, ranks: of });
    expect(outcome(many)).toEqual(outcome(one));
    expect(new Set(many.results.map(({ step }) => step)).size).toBe(1);
    for (const { ranks: told, computing, communication, efficiency } of many.metrics) {
      expect(told).toBe(of);
      for (const each of [computing, communication, efficiency]) expect(each).toBeGreaterThan(0);
    }
  }
  return one;
}

describe('a run of several ranks is that of one', () => {
  it.each([reference, cpu])('on $label', async ({ create }) => {
    const { metrics, grids } = await compare(
      { config: complete(input), open: squares, backend: create },
      2,
      4,
    );
    expect(metrics).toHaveLength(6);
    expect(metrics.at(-1)!.heldOutLossEma).toBeGreaterThan(0);
    expect(grids).toHaveLength(2);
    expect(new Set(grids[1]!.sets.map(({ samples }) => samples.join())).size).toBe(2);
  });

  it('with a grid of several batches, and ways that end in each', async () => {
    const sample = { ...input.sample, labels: [0, 1, 2], perClass: 45, gridWeights: 'ema' } as const;
    const { grids } = await compare(
      {
        config: complete({ ...input, sample, train: { ...input.train, steps: 3 } }),
        open: squares,
        backend: cpu.create,
      },
      2,
      4,
    );
    const { samples, columns } = grids[0]!.path;
    expect(samples).toHaveLength(3 * columns.length * 64);
    const shown = grids[0]!.sets[0]!.samples;
    for (const row of [0, 1, 2])
      expect(samples.slice((row + 1) * columns.length * 64 - 64, (row + 1) * columns.length * 64)).toEqual(
        shown.slice(row * 45 * 64, row * 45 * 64 + 64),
      );
  });

  it('in micro-batches', async () => {
    const train = { ...input.train, microBatch: 1 };
    await compare({ config: complete({ ...input, train }), open: squares, backend: cpu.create }, 4);
  });

  it.each([
    ['drawn for each step', () => sizedStripes(40)],
    ['of buckets', () => sizedStripes(40, (index) => index % 3)],
  ])('at several sizes, %s', async (_, open) => {
    const given = { ...input, model: { ...squaresDit, imageSize: [12, 12] } } as const;
    const { grids } = await compare({ config: complete(given), open, backend: cpu.create }, 4);
    expect(grids[0]!.sizes).toHaveLength(3);
  });

  it('of an autoencoder', async () => {
    const given = {
      ...tinyAutoencoder,
      train: { ...tinyAutoencoder.train, steps: 4, batchSize: 4, shards: 4, sampleEvery: 4, logEvery: 1 },
      heldOut: { count: 7, every: 2 },
      sample: { perClass: 3, gridWeights: 'both' },
    } as const;
    const config = (source: Source): TrainingConfig => resolveConfig(given, { facts: source });
    const { metrics } = await compare({ config, open: pictures, backend: cpu.create }, 2, 4);
    expect(metrics.at(-1)!.heldOutPsnr).toBeGreaterThan(0);
  });

  it('with a loss that is scaled', async () => {
    const train = {
      ...input.train,
      precision: 'fp16',
      lossScaling: { initial: 2 ** 40, growthInterval: 2, growth: 2, backOff: 0.5 },
    } as const;
    const backend = (): ReturnType<typeof cpu.create> => cpu.create('fp16');
    const { metrics } = await compare({ config: complete({ ...input, train }), open: squares, backend }, 4);
    expect(metrics.at(-1)?.skipped ?? 6).toBeGreaterThan(0);
  });

  it('whose steps go bad by a sample of one rank: all leave them out, and the sample is named', async () => {
    const open = (): Source => spoilt(squares(), [2, 4], 8);
    const given = { ...input, heldOut: { count: 0 } };
    const { notices, badSteps } = await compare({ config: complete(given), open, backend: cpu.create }, 2, 4);
    expect(badSteps.map(({ step }) => step)).toEqual([2, 4]);
    expect(notices[0]).toMatch(/^At step 2 the loss is NaN\. .*sample \d+ of squares/);
  });
});

describe('ranks of a run', () => {
  it('stop together after the step by which one was asked to', async () => {
    const options = { config: complete(input), open: squares, backend: cpu.create, ranks: 4 };
    const { results, metrics } = await trainOnRanks({ ...options, stop: { rank: 2, after: 2 } });
    expect(results.map(({ finished }) => finished)).toEqual([false, false, false, false]);
    expect(new Set(results.map(({ step }) => step))).toEqual(new Set([metrics.at(-1)!.step]));
    expect(metrics.at(-1)!.step).toBeLessThan(5);
  });

  it('go on where the first cannot write a picture, which is told', async () => {
    const write = (): Promise<never> =>
      Promise.reject(fileError('grid.png', 'the disk is full', 'Make room'));
    const options = { config: complete(input), open: squares, backend: cpu.create, write };
    const { notices, results } = await compare(options, 4);
    expect(results[0]!.finished).toBe(true);
    expect(notices.filter((text) => text.startsWith('grid.png: the disk is full'))).toHaveLength(3);
  });
});
