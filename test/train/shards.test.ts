// Runs whose steps are divided into shards: in one process, the same whatever else is divided.
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { batchSizeOf } from '../../src/train/step-shapes.ts';
import { temporaryFolder } from '../support/cli.ts';
import { checkpointDigests, stripes, tinyStripes } from '../support/tiny-run.ts';

const backend = referenceBackend();

function config(own: Partial<ConfigInput['train'] & object>, name = 'stripes'): ConfigInput {
  return { ...tinyStripes, name, train: { ...tinyStripes.train, steps: 6, batchSize: 8, ...own } };
}

async function losses(run: string): Promise<unknown[]> {
  const { records } = await readMetrics(join(run, 'metrics.jsonl'));
  return records.map(({ loss, gradNorm, lossByTime }) => [loss, gradNorm, lossByTime]);
}

describe('a run of shards', () => {
  it('learns what one without learns, within rounding', async () => {
    const runs = await temporaryFolder();
    const source = stripes();
    const asked = { logEvery: 1 };
    const { run: plain } = await train(config(asked, 'plain'), { runs, source, backend });
    for (const [name, own] of Object.entries({ shards: {}, parts: { microBatch: 1 } })) {
      const { run } = await train(config({ ...asked, ...own, shards: 4 }, name), { runs, source, backend });
      const [wanted, found] = [await losses(plain), await losses(run)];
      expect(found).toHaveLength(6);
      wanted.flat(3).forEach((value, i) => expect(found.flat(3)[i]).toBeCloseTo(value as number, 5));
    }
  });

  it('goes on to the bit', async () => {
    const runs = await temporaryFolder();
    const source = stripes();
    const own = { shards: 2, microBatch: 3, logEvery: 1 };
    const { run: whole } = await train(config(own, 'whole'), { runs, source, backend });
    const stop = new AbortController();
    const { run: half } = await train(config(own, 'half'), {
      runs,
      source,
      backend,
      signal: stop.signal,
      onStep: ({ step }) => {
        if (step === 3) stop.abort();
      },
    });
    await resume(half, { source, backend });
    expect(await checkpointDigests(whole, 6)).toEqual(await checkpointDigests(half, 6));
  });
});

it.each([
  [{ shards: 3 }, 'train.shards: wanted a power of two from 1 to 1024, found 3'],
  [
    { shards: 16, batchSize: 40 },
    'train.batchSize: wanted a multiple of the 16 train.shards, the nearest being 32 or 48, found 40',
  ],
  [{ shards: 16 }, 'wanted a multiple of the 16 train.shards, the nearest being 16, found 8'],
])('%j is refused', (own, message) => {
  expect(() => resolveConfig(config(own))).toThrow(message);
});

it('steps of other sizes have as many samples in every shard', () => {
  const of = (side: number): number =>
    batchSizeOf([3, side, side], [3, 64, 64], { batchSize: 8, batchBy: 'tokens', shards: 4 });
  expect([of(64), of(48), of(32), of(128)]).toEqual([8, 16, 32, 4]);
});
