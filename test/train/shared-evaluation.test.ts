// What ranks share beside the step: held-out losses are those of one process, to the bit.
import { describe, expect, it } from 'vitest';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import type { Source } from '../../src/data/source.ts';
import { RectiflowError, dataError } from '../../src/tensor/errors.ts';
import { type TrainingInput, completeTraining } from '../../src/train/complete.ts';
import { HeldOut, type HeldOutLosses } from '../../src/train/held-out.ts';
import type { PreparedTraining } from '../../src/train/prepare.ts';
import type { TrainingConfig } from '../../src/train/settings.ts';
import { shareOut, together } from '../../src/train/ranks/share-out.ts';
import { float32Backends } from '../support/backends.ts';
import { onTrainings, takeSteps } from '../support/rank-trainings.ts';
import { onRanks } from '../support/ranks.ts';
import { sizedStripes } from '../support/sized.ts';
import { squares, squaresDit } from '../support/squares.ts';
import { pictures, tinyAutoencoder } from '../support/tiny-autoencoder.ts';

const reference = float32Backends()[0]!;

const input = {
  model: squaresDit,
  train: { steps: 4, batchSize: 4, shards: 4, sampleEvery: 0, checkpointEvery: 0 },
  optimizer: { learningRate: 0.01, warmupSteps: 0 },
  ema: { decay: 0.5, decays: [0.9] },
  heldOut: { count: 11, every: 2 },
  sample: { steps: 2, perClass: 2, labels: [0, 2] },
} satisfies TrainingInput;

const config = complete(input);

/** Of a run on the data that it is given. */
function complete(given: TrainingInput): (source: Source) => TrainingConfig {
  return (source) => completeTraining(given, source);
}

async function stateOf({ buffers }: PreparedTraining): Promise<[string, readonly number[]][]> {
  return Promise.all(
    Array.from(buffers, async ([name, buffer]): Promise<[string, readonly number[]]> => [
      name,
      [...(await buffer.read())],
    ]),
  );
}

describe.each(float32Backends())('on $label', ({ create, skip }) => {
  describe.skipIf(skip)('averages in the place of the weights', () => {
    it('are those of one process on every rank, and afterwards all of the state is as it was', async () => {
      const one = { config, open: squares, backend: create, ranks: 1 };
      const [[averages]] = [
        await onTrainings(one, async (training) => {
          await takeSteps(training, 3);
          return (await stateOf(training)).filter(([name]) => name.startsWith('ema/'));
        }),
      ];
      await onTrainings({ ...one, ranks: 4 }, async (training) => {
        await takeSteps(training, 3);
        const before = await stateOf(training);
        const { parameters } = training.model;
        const during = await training.exchange!.withAverages(() => stateOf(training));
        const held = new Map(during);
        for (const { name } of parameters)
          expect([name, held.get(name)]).toEqual([name, new Map(averages).get(`ema/${name}`)]);
        const failure = training.exchange!.withAverages(() => Promise.reject(new Error('no')));
        await expect(failure).rejects.toThrow('no');
        expect(await stateOf(training)).toEqual(before);
      });
    });
  });

  it.skipIf(skip).each([2, 4])('held-out losses of %i ranks are those of one process', async (ranks) => {
    const losses = (of: number): Promise<HeldOutLosses[]> =>
      onTrainings({ config, open: squares, backend: create, ranks: of }, measure);
    const [wanted] = await losses(1);
    const found = await losses(ranks);
    expect(Object.keys(wanted!)).toEqual([
      'heldOutLoss',
      'heldOutLossEma',
      'heldOutLossUnconditional',
      'trainedLoss',
    ]);
    for (const own of found) expect(own).toEqual(wanted);
  });
});

async function measure(training: PreparedTraining): Promise<HeldOutLosses> {
  await takeSteps(training, 3);
  const heldOut = await HeldOut.compile({ ...training, split: training.split! });
  try {
    return await heldOut.evaluate();
  } finally {
    await heldOut.dispose();
  }
}

describe('held-out losses', () => {
  it.each([
    ['at several sizes', { ...input, model: { ...squaresDit, imageSize: [12, 12] } }, () => sizedStripes(40)],
    [
      'of buckets, some of which hold nothing',
      { ...input, model: { ...squaresDit, imageSize: [12, 12] }, heldOut: { count: 3, every: 2 } },
      () => sizedStripes(40, (index) => index % 3),
    ],
  ] as const)('%s are those of one process', async (_, given, open) => {
    const losses = (ranks: number): Promise<HeldOutLosses[]> =>
      onTrainings({ config: complete(given), open, backend: reference.create, ranks }, measure);
    const [wanted] = await losses(1);
    for (const own of await losses(4)) expect(own).toEqual(wanted);
  });

  it('of a rank that cannot read a sample are an error on all ranks, of that sample', async () => {
    const broken = (rank: number): Source => {
      const source = squares();
      return {
        ...source,
        read(...given) {
          if (rank === 2) throw dataError(`${given[0]}.png`, 'is no picture', 'Make it anew');
          return source.read(...given);
        },
      };
    };
    const whole = { config, open: broken, backend: reference.create, ranks: 4 };
    await onTrainings(whole, async (training) => {
      const heldOut = await HeldOut.compile({ ...training, split: training.split! });
      await expect(heldOut.evaluate()).rejects.toThrow(/^\d+\.png: is no picture/);
    });
  });
});

describe('jobs that are shared out', () => {
  it.each([
    [1, 4],
    [3, 2],
    [7, 4],
    [8, 4],
  ])('%i on %i ranks are each done once, and all get all results', async (jobs, ranks) => {
    const done: number[] = [];
    const found = await onRanks(ranks, async (communicator) => {
      const startOf = (job: number): number => (job * (job + 1)) / 2;
      const values = new Float32Array(startOf(jobs));
      await shareOut(communicator, jobs, [{ values, startOf }], async (job) => {
        done.push(job);
        values.fill(job + 1, startOf(job), startOf(job + 1));
      });
      return [...values];
    });
    const wanted = Array.from({ length: jobs }, (_, job) => Array.from({ length: job + 1 }, () => job + 1));
    expect(found).toEqual(Array.from({ length: ranks }, () => wanted.flat()));
    expect(done.toSorted((a, b) => a - b)).toEqual(Array.from({ length: jobs }, (_, job) => job));
  });

  it('fail on all ranks with the error of the first that fails', async () => {
    const failures = await onRanks(3, async (communicator) => {
      const fails = async (): Promise<void> => {
        if (communicator.rank === 1) throw new RectiflowError('data', 'one.png: is empty. Leave it out.');
        if (communicator.rank === 2) throw new TypeError('x is undefined');
      };
      return together(communicator, fails).catch((error: unknown) => error as Error);
    });
    expect(failures.map((error) => (error as Error).message)).toEqual([
      'one.png: is empty. Leave it out.',
      'one.png: is empty. Leave it out.',
      'x is undefined',
    ]);
  });

  it('are blamed on a rank where nothing else tells where to look', async () => {
    const failures = await onRanks(2, async (communicator) => {
      const fails = async (): Promise<void> => {
        if (communicator.rank === 1) throw new TypeError('x is undefined');
      };
      return together(communicator, fails).catch((error: unknown) => error as Error);
    });
    expect((failures[0] as Error).message).toBe('rank 1 on host-1: x is undefined');
  });
});

describe('held-out pictures of an autoencoder', () => {
  it('are measured by ranks as by one process', async () => {
    const given = {
      ...tinyAutoencoder,
      train: { ...tinyAutoencoder.train, batchSize: 4, shards: 4 },
      heldOut: { count: 7 },
    };
    const losses = (ranks: number): Promise<HeldOutLosses[]> =>
      onTrainings(
        {
          config: (source) => resolveConfig(given, { facts: source }),
          open: pictures,
          backend: reference.create,
          ranks,
        },
        measure,
      );
    const [wanted] = await losses(1);
    expect(wanted!.heldOutPsnr).toBeGreaterThan(0);
    for (const own of await losses(4)) expect(own).toEqual(wanted);
  });
});
