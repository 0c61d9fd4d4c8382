import { cp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { resume, train } from '../../src/api/train.ts';
import { cpuBackend } from '../../src/backends/cpu/index.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { Backend, Precision } from '../../src/backends/backend.ts';
import { stepName, verifyCheckpoint } from '../../src/runs/checkpoint.ts';
import { digestFile } from '../../src/host/durable.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { wasmBackendOf } from '../../src/backends/wasm/index.ts';
import type { Source } from '../../src/data/source.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import type { LoaderConfig } from '../../src/train/settings.ts';
import { testBackends } from '../support/backends.ts';
import { temporaryFolder } from '../support/cli.ts';
import { testKernels } from '../support/wasm.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

/** 17 images in batches of 5: two epochs and a third. */
const STEPS = 8;
const plain = {
  ...tinyStripes,
  train: { ...tinyStripes.train, steps: STEPS, logEvery: 1, checkpointEvery: 1, keepCheckpoints: STEPS },
  loader: { workers: 1, prefetch: 1 },
} satisfies ConfigInput;

/** All that has a state of its own, or is done at some steps only; the first loss scale overflows. */
const full = {
  ...plain,
  train: {
    ...plain.train,
    microBatch: 2,
    memory: 'recompute',
    precision: 'fp16',
    lossScaling: { initial: 2 ** 36, backOff: 2 ** -9, growth: 4, growthInterval: 3 },
  },
  ema: { decays: [0.9], power: [0.1], snapshotEvery: 2 },
  heldOut: { count: 4, every: 3 },
} satisfies ConfigInput;

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
  const steps = records.map(
    ({ step, loss, gradNorm, epoch, skipped, lossByTime, heldOutLoss, heldOutLossEma }) => {
      return { step, loss, gradNorm, epoch, skipped, lossByTime, heldOutLoss, heldOutLossEma };
    },
  );
  const averages = (await readdir(run)).includes('averages') ? join(run, 'averages') : undefined;
  const stored = averages ? (await readdir(averages)).toSorted() : [];
  const digests = await Promise.all(stored.map((name) => digestFile(join(averages!, name))));
  const { files, state } = await verifyCheckpoint(join(run, 'checkpoints', stepName(STEPS)));
  const { seconds: _, trainedWith: __, ...counts } = state;
  return { files, counts, stored, digests, steps };
}

async function setLoader(run: string, loader: Partial<LoaderConfig>): Promise<void> {
  const file = join(run, 'config.json');
  const record = JSON.parse(await readFile(file, 'utf8'));
  Object.assign(record.config.loader, loader);
  await writeFile(file, JSON.stringify(record));
}

const { skip } = testBackends().find(({ label }) => label === 'cpu portable')!;
const engines: {
  name: string;
  skip?: string | undefined;
  precisions?: readonly Precision[];
  backend(precision: Precision, threads: number): Backend;
}[] = [
  { name: 'the reference', backend: (precision) => referenceBackend({ precision }) },
  {
    name: 'the CPU, with more threads',
    skip,
    backend: (precision, threads) => cpuBackend({ precision, threads }),
  },
  { name: 'WebAssembly', precisions: ['fp32'], backend: () => wasmBackendOf(testKernels()) },
];

const configs = [
  { what: 'in fp32', config: plain, precision: 'fp32' },
  {
    what: 'in fp16 with micro-batches, recomputation, averages and held-out samples',
    config: full,
    precision: 'fp16',
  },
] as const;

describe.each(engines)('a run on $name, that goes on after any of its steps', (engine) => {
  const { skip: reason, precisions, backend } = engine;
  it.skipIf(reason).each(configs.filter((each) => precisions?.includes(each.precision) ?? true))(
    `$what ends to the bit as if it had not stopped, with other loaders too${reason ? ` (skipped: ${reason})` : ''}`,
    async ({ config, precision }) => {
      const runs = await temporaryFolder();
      const { run } = await train(config, { runs, source: stripes(), backend: backend(precision, 1) });
      const expected = await endOf(run);
      for (let step = 1; step < STEPS; step++) {
        const resumed = join(runs, `after-${step}`);
        await cp(run, resumed, { recursive: true });
        for (let later = step + 1; later <= STEPS; later++) {
          await rm(join(resumed, 'checkpoints', stepName(later)), { recursive: true });
        }
        await setLoader(resumed, { workers: 1 + (step % 4), prefetch: 1 + (step % 3), cacheMiB: 0 });
        await resume(resumed, { source: slowStripes(), backend: backend(precision, 2 + (step % 2)) });
        expect({ step, end: await endOf(resumed) }).toEqual({ step, end: expected });
      }
    },
  );
});
