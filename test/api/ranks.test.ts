// Whole runs on ranks, which are those of one process here: the same files, to the bit, for any number of them.
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type TrainOptions, resume, train } from '../../src/api/train.ts';
import type { Precision } from '../../src/backends/backend.ts';
import { chooseBackend } from '../../src/backends/choose.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import type { Source } from '../../src/data/source.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import type { TrainResult } from '../../src/train/metrics.ts';
import { spoilt } from '../support/bad-data.ts';
import { temporaryFolder } from '../support/cli.ts';
import { onRanks } from '../support/ranks.ts';
import { checkpointDigests, stripes, tinyStripes } from '../support/tiny-run.ts';

type Train = NonNullable<ConfigInput['train']>;

function config(own: Train = {}, others: Partial<ConfigInput> = {}): ConfigInput {
  return { ...tinyStripes, ...others, train: { ...tinyStripes.train, steps: 6, batchSize: 16, ...own } };
}

interface Given extends TrainOptions {
  readonly precision?: Precision;
  /** Of each rank. */
  readonly sourceOf?: (rank: number) => Source;
}

/** Does it on each of so many ranks, which have a backend each, as processes do. @returns what rank 0 returned */
async function onEach(
  ranks: number,
  { precision = 'fp32', sourceOf = stripes, ...given }: Given,
  what: (options: TrainOptions) => Promise<TrainResult>,
): Promise<TrainResult> {
  const results = await onRanks(ranks, async (communicator) => {
    // The threads of a process serve one backend at a time when the peak is measured.
    const { measurePeak: _, ...backend } = (await chooseBackend({ threads: 1, precision })).backend;
    try {
      return await what({ source: sourceOf(communicator.rank), backend, communicator, ...given });
    } finally {
      await backend.dispose();
    }
  });
  expect(new Set(results.map(({ step, finished }) => `${step} ${finished}`)).size).toBe(1);
  return results[0]!;
}

/** @returns the run's folder */
async function trained(ranks: number, input: ConfigInput, given: Given = {}): Promise<string> {
  const runs = await temporaryFolder();
  return (await onEach(ranks, given, (options) => train(input, { runs, ...options }))).run;
}

const logged = [
  'step',
  'loss',
  'gradNorm',
  'lossByTime',
  'gradNormByBlock',
  'updateRatio',
  'emaDistance',
  'epoch',
  'skipped',
];

/** What is logged that does not tell of time or memory. */
async function numbers(run: string): Promise<unknown[]> {
  const { records } = await readMetrics(join(run, 'metrics.jsonl'));
  return records.map((record) => logged.map((name) => record[name as keyof typeof record]));
}

/** By their names, which differ for TensorBoard. */
async function filesOf(run: string): Promise<string[]> {
  const names = await readdir(run, { recursive: true });
  return names.map((name) => name.replace(/tfevents.*/, 'tfevents')).toSorted();
}

async function notices(run: string): Promise<string> {
  return readFile(join(run, 'notices.log'), 'utf8').catch(() => '');
}

describe('ranks of a run', () => {
  it.each(['fp32', 'bf16', 'fp16'] as const)(
    'make the same in %s, 1, 2, 4 or 8 of them',
    async (precision) => {
      const input = config({ logEvery: 2 });
      const alone = await trained(1, input, { precision });
      for (const ranks of [2, 4, 8]) {
        const run = await trained(ranks, input, { precision });
        expect(await checkpointDigests(run, 6)).toEqual(await checkpointDigests(alone, 6));
        expect(await numbers(run)).toEqual(await numbers(alone));
        expect(await filesOf(run)).toEqual(await filesOf(alone));
        const [first] = (await readMetrics(join(run, 'metrics.jsonl'))).records;
        // Speed is that of all ranks.
        expect(Number(first!['samplesPerSecond']) * Number(first!['seconds'])).toBeCloseTo(16, 6);
        expect(await notices(run)).toBe('');
      }
    },
  );

  it('go on where others stopped, to the bit, as many as there are', async () => {
    const input = config({ steps: 8 });
    const whole = await trained(1, input);
    const runs = await temporaryFolder();
    /** Until one rank, not the first, is asked to stop, after so many steps. */
    const until = (
      last: number,
      ranks: number,
      go: (options: TrainOptions) => Promise<TrainResult>,
    ): Promise<TrainResult> => {
      const stop = new AbortController();
      return onEach(ranks, {}, (options) => {
        const { rank } = options.communicator!;
        const onStep: TrainOptions['onStep'] = ({ step }) => {
          if (step === last) stop.abort();
        };
        return go({
          ...options,
          ...(rank === ranks - 1 && { signal: stop.signal }),
          ...(rank === 0 && { onStep }),
        });
      });
    };
    const each = config({ steps: 8, logEvery: 1 });
    const { run, finished } = await until(2, 4, (options) => train(each, { runs, ...options }));
    expect(finished).toBe(false);
    await until(5, 8, (options) => resume(run, options));
    await until(99, 2, (options) => resume(run, options));
    expect(await checkpointDigests(run, 8)).toEqual(await checkpointDigests(whole, 8));
  });

  it('skip the same bad steps, and go back alike', async () => {
    const badSteps = { rollBackAfter: 2, window: 3, stopAfter: 1 };
    const input = config({ steps: 10, logEvery: 1, checkpointEvery: 4, keepCheckpoints: 99, badSteps });
    const given: Given = { sourceOf: () => spoilt(stripes(), [5, 7], 16) };
    const alone = await trained(1, input, given);
    expect(await notices(alone)).toContain('training went back');
    for (const ranks of [2, 8]) {
      const run = await trained(ranks, input, given);
      expect(await checkpointDigests(run, 10)).toEqual(await checkpointDigests(alone, 10));
      expect(await numbers(run)).toEqual(await numbers(alone));
      expect(await notices(run)).toBe(await notices(alone));
    }
  });

  it('of a number that is no power of two make another run, and say so', async () => {
    const input = config({ batchSize: 24 });
    const told: string[] = [];
    const run = await trained(3, input, { onNotice: (text) => told.push(text) });
    const unusual = '3 ranks make 6 shards of each step, not the 8 of train.shards';
    // By one voice.
    expect(told.filter((text) => text.startsWith(unusual))).toHaveLength(1);
    const [alone, found] = [await numbers(await trained(1, input)), await numbers(run)];
    expect(found).not.toEqual(alone);
    expect((found.at(-1) as number[])[1]).toBeCloseTo((alone.at(-1) as number[])[1]!, 4);
  });

  it('round what they send where that is asked for, and say so', async () => {
    const told: string[] = [];
    const run = await trained(2, config({ wire: 'bf16' }), { onNotice: (text) => told.push(text) });
    expect(told.join('\n')).toContain('train.wire is bf16');
    expect(await checkpointDigests(run, 6)).not.toEqual(
      await checkpointDigests(await trained(1, config()), 6),
    );
  });

  it.each<[string, number, Train, Given, string]>([
    [
      'too many for the shards',
      4,
      { shards: 2 },
      {},
      'train.shards: wanted at least as many as there are ranks, 4, found 2',
    ],
    [
      'no share of the batch',
      3,
      {},
      {},
      'train.batchSize: wanted a multiple of the 3 ranks, the nearest being 15 or 18, found 16',
    ],
    [
      'other data on one of them',
      2,
      {},
      { sourceOf: (rank) => ({ ...stripes(), count: 17 - rank }) },
      'the ranks differ in the number of samples: rank 0 on host-0 has 17, rank 1 on host-1 has 16',
    ],
  ])('are refused with %s', async (_, ranks, own, given, message) => {
    const runs = await temporaryFolder();
    await expect(onEach(ranks, given, (options) => train(config(own), { runs, ...options }))).rejects.toThrow(
      message,
    );
    expect(await readdir(runs)).toEqual([]);
  });
});
