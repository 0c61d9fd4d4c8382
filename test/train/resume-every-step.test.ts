import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { resume, train } from '../../src/api/train.ts';
import { cpuBackend } from '../../src/backends/cpu/index.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { Backend } from '../../src/backends/backend.ts';
import { stepName } from '../../src/checkpoint/checkpoint.ts';
import { readMetrics } from '../../src/checkpoint/metrics-log.ts';
import type { Source } from '../../src/data/source.ts';
import type { LoaderConfig } from '../../src/train/config.ts';
import { testBackends } from '../support/backends.ts';
import { temporaryFolder } from '../support/cli.ts';
import { checkpointDigests, stripes, tinyStripes } from '../support/tiny-run.ts';

/** 17 images in batches of 5: two epochs and a third. */
const STEPS = 8;
const config = {
  ...tinyStripes,
  train: { ...tinyStripes.train, steps: STEPS, logEvery: 1, checkpointEvery: 1, keepCheckpoints: STEPS },
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
  return { weights: await checkpointDigests(run, STEPS), steps };
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

describe.each(engines)('a run on $name, that goes on after any of its steps', ({ skip: reason, backend }) => {
  it.skipIf(reason)(
    `ends to the bit as if it had not stopped, with other loaders too${reason ? ` (skipped: ${reason})` : ''}`,
    async () => {
      const runs = await temporaryFolder();
      const { run } = await train(config, { runs, source: stripes(), backend: backend(1) });
      const expected = await endOf(run);
      for (let step = 1; step < STEPS; step++) {
        const resumed = join(runs, `after-${step}`);
        await cp(run, resumed, { recursive: true });
        for (let later = step + 1; later <= STEPS; later++) {
          await rm(join(resumed, 'checkpoints', stepName(later)), { recursive: true });
        }
        await setLoader(resumed, { workers: 1 + (step % 4), prefetch: 1 + (step % 3), cacheMiB: 0 });
        await resume(resumed, { source: slowStripes(), backend: backend(2 + (step % 2)) });
        expect({ step, end: await endOf(resumed) }).toEqual({ step, end: expected });
      }
    },
  );
});
