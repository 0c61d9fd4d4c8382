import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { resume, train } from '../../src/api/train.ts';
import { cpuBackend } from '../../src/backends/cpu/index.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { Backend } from '../../src/backends/backend.ts';
import { readMetrics } from '../../src/checkpoint/metrics-log.ts';
import type { Source } from '../../src/data/source.ts';
import type { LoaderConfig } from '../../src/train/config.ts';
import { testBackends } from '../support/backends.ts';
import { temporaryFolder } from '../support/cli.ts';
import { checkpointBytes, stripes, tinyStripes } from '../support/tiny-run.ts';

/** 17 images in batches of 5: two epochs and a third. */
const STEPS = 8;
const config = {
  ...tinyStripes,
  train: { ...tinyStripes.train, steps: STEPS, logEvery: 1 },
  loader: { workers: 1, prefetch: 1 },
};

/** Its reads end in another order than they begin. */
function slowStripes(): Source {
  const source = stripes();
  return {
    ...source,
    async read(index, ...rest) {
      await sleep(index % 3);
      return source.read(index, ...rest);
    },
  };
}

async function endOf(run: string): Promise<unknown> {
  const { records } = await readMetrics(join(run, 'metrics.jsonl'));
  const steps = records.map(({ step, loss, gradNorm, epoch }) => ({ step, loss, gradNorm, epoch }));
  return { weights: await checkpointBytes(run, STEPS), steps };
}

async function setLoader(run: string, loader: Partial<LoaderConfig>): Promise<void> {
  const file = join(run, 'config.json');
  const record = JSON.parse(await readFile(file, 'utf8'));
  Object.assign(record.config.loader, loader);
  await writeFile(file, JSON.stringify(record));
}

const { skip } = testBackends().find(({ label }) => label === 'cpu portable')!;
const engines: { name: string; skip?: string | undefined; backend(threads: number): Backend }[] = [
  { name: 'the reference', backend: () => referenceBackend() },
  { name: 'the CPU, with more threads', skip, backend: (threads) => cpuBackend({ threads }) },
];

describe.each(engines)('a run on $name, stopped after any of its steps', ({ skip: reason, backend }) => {
  it.skipIf(reason)(
    `ends to the bit as if it had not, with other loaders too${reason ? ` (skipped: ${reason})` : ''}`,
    async () => {
      const runs = await temporaryFolder();
      const whole = await train(config, { runs, source: stripes(), backend: backend(1) });
      const expected = await endOf(whole.run);
      for (let last = 1; last <= STEPS; last++) {
        const controller = new AbortController();
        const stopped = await train(
          { ...config, name: `stopped-${last}` },
          {
            runs,
            source: slowStripes(),
            backend: backend(1),
            signal: controller.signal,
            onStep: ({ step }) => {
              if (step === last) controller.abort();
            },
          },
        );
        expect(stopped).toMatchObject({ step: last, finished: last === STEPS });
        await setLoader(stopped.run, { workers: 1 + (last % 4), prefetch: 1 + (last % 3), cacheMiB: 0 });
        const { run } = await resume(stopped.run, {
          source: slowStripes(),
          backend: backend(2 + (last % 2)),
        });
        expect({ last, end: await endOf(run) }).toEqual({ last, end: expected });
      }
    },
  );
});
