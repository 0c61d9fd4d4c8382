// Whole runs on ranks, which are those of one process here: the same files, to the bit, for any number of them.
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { train } from '../../src/api/train.ts';
import type { Precision } from '../../src/backends/backend.ts';
import { chooseBackend } from '../../src/backends/choose.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { temporaryFolder } from '../support/cli.ts';
import { onRanks } from '../support/ranks.ts';
import { checkpointDigests, stripes, tinyStripes } from '../support/tiny-run.ts';

function config(own: ConfigInput['train'] = {}, others: Partial<ConfigInput> = {}): ConfigInput {
  return { ...tinyStripes, train: { ...tinyStripes.train, steps: 6, batchSize: 16, ...own }, ...others };
}

/** Each rank has a backend of its own, as processes do. @returns the run's folder */
async function trained(ranks: number, input: ConfigInput, precision: Precision = 'fp32'): Promise<string> {
  const runs = await temporaryFolder();
  const results = await onRanks(ranks, async (communicator) => {
    // The threads of a process serve one backend at a time when the peak is measured.
    const { measurePeak: _, ...backend } = (await chooseBackend({ threads: 1, precision })).backend;
    try {
      return await train(input, { runs, source: stripes(), backend, communicator });
    } finally {
      await backend.dispose();
    }
  });
  expect(new Set(results.map(({ step }) => step)).size).toBe(1);
  return results[0]!.run;
}

/** What is logged of each step that does not tell of time or memory. */
async function numbers(run: string): Promise<unknown[]> {
  const { records } = await readMetrics(join(run, 'metrics.jsonl'));
  return records.map(
    ({ step, loss, gradNorm, lossByTime, gradNormByBlock, updateRatio, emaDistance, epoch }) => [
      step,
      loss,
      gradNorm,
      lossByTime,
      gradNormByBlock,
      updateRatio,
      emaDistance,
      epoch,
    ],
  );
}

/** By their names, which differ for TensorBoard. */
async function filesOf(run: string): Promise<string[]> {
  const names = await readdir(run, { recursive: true });
  return names.map((name) => name.replace(/tfevents.*/, 'tfevents')).toSorted();
}

describe('ranks of a run', () => {
  it.each(['fp32', 'bf16', 'fp16'] as const)(
    '1, 2, 4 and 8 ranks make the same run in %s',
    async (precision) => {
      const input = config({ logEvery: 2 });
      const alone = await trained(1, input, precision);
      for (const ranks of [2, 4, 8]) {
        const run = await trained(ranks, input, precision);
        expect(await checkpointDigests(run, 6)).toEqual(await checkpointDigests(alone, 6));
        expect(await numbers(run)).toEqual(await numbers(alone));
        expect(await filesOf(run)).toEqual(await filesOf(alone));
        expect(await readFile(join(run, 'notices.log'), 'utf8').catch(() => '')).toBe('');
      }
    },
  );
});
