import { cp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resume, train } from '../../src/api/train.ts';
import type { Backend } from '../../src/backends/backend.ts';
import { cpuBackend } from '../../src/backends/cpu/index.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { stepName, verifyCheckpoint } from '../../src/runs/checkpoint.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { checkpointFolder } from '../../src/runs/run-folder.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { testBackends } from '../support/backends.ts';
import { temporaryFolder } from '../support/cli.ts';
import { type PlainStep, checkSaved, stateAfter } from '../support/plain-steps.ts';
import { checkpointDigests, stripes, tinyDigits, tinyStripes } from '../support/tiny-run.ts';

const steps = 12;
const lossScaling = { initial: 2 ** 40, backOff: 2 ** -8, growth: 2 ** 14, growthInterval: 3 };
const config = {
  ...tinyStripes,
  train: {
    ...tinyStripes.train,
    precision: 'fp16',
    steps,
    logEvery: 1,
    checkpointEvery: 1,
    keepCheckpoints: steps,
    lossScaling,
  },
  ema: { decays: [0.9] },
} satisfies ConfigInput;

const { skip } = testBackends().find(({ label }) => label === 'cpu portable')!;
const gpu = testBackends().find(({ label }) => label === 'webgpu')!;
const engines: { name: string; skip?: string | undefined; backend(): Backend }[] = [
  { name: 'the reference', backend: () => referenceBackend({ precision: 'fp16' }) },
  {
    name: `the CPU${skip ? ` (skipped: ${skip})` : ''}`,
    skip,
    backend: () => cpuBackend({ precision: 'fp16', threads: 1 }),
  },
  {
    name: `WebGPU${gpu.skip ? ` (skipped: ${gpu.skip})` : ''}`,
    skip: gpu.skip,
    backend: () => gpu.create('fp16'),
  },
];

async function scalesOf(run: string): Promise<{ step: number; scale: number; updates: number }[]> {
  const scales = [];
  for (let step = 1; step <= steps; step++) {
    const { state } = await verifyCheckpoint(join(checkpointFolder(run), stepName(step)));
    const { lossScaler, updates } = state as unknown as { lossScaler: { scale: number }; updates: number };
    scales.push({ step, scale: lossScaler.scale, updates });
  }
  return scales;
}

describe.each(engines)('a run in fp16 on $name', ({ skip: reason, backend }) => {
  it.skipIf(reason).each([undefined, 3])(
    'backs off until nothing overflows, and grows again, with micro-batches of %o',
    async (microBatch) => {
      const runs = await temporaryFolder();
      const settings = { ...config.train, ...(microBatch !== undefined && { microBatch }) };
      const input = { ...config, train: settings };
      const notices: string[] = [];
      const { run } = await train(input, {
        runs,
        source: stripes(),
        backend: backend(),
        onNotice: (text) => notices.push(text),
      });
      const scales = await scalesOf(run);
      let [scale, clean, updates] = [lossScaling.initial as number, 0, 0];
      const plain: PlainStep[] = [];
      for (const now of scales) {
        if (now.updates > updates) {
          plain.push({ batch: now.step, step: now.step, update: now.updates, lossScale: scale });
          if (++clean === lossScaling.growthInterval) [scale, clean] = [scale * lossScaling.growth, 0];
          updates++;
        } else {
          [scale, clean] = [scale * lossScaling.backOff, 0];
        }
        expect(now).toEqual({ step: now.step, scale, updates });
      }
      // It overflows before it can grow, and again when it has.
      const grown = scales.findIndex((now, i) => i > 0 && now.scale > scales[i - 1]!.scale);
      expect(scales[grown]!.updates).toBeLessThan(scales[grown]!.step);
      expect(plain.length - scales[grown]!.updates).toBeLessThan(steps - scales[grown]!.step);
      await checkSaved(run, await stateAfter(input, backend(), plain));
      const { records } = await readMetrics(join(run, 'metrics.jsonl'));
      expect(records.map(({ step, skipped }) => [step, skipped])).toEqual(
        plain.map(({ step, update }) => [step, step - update]),
      );
      expect(notices).toEqual([]);
    },
  );

  it.skipIf(reason)('goes on to the bit after any step', async () => {
    const runs = await temporaryFolder();
    const source = stripes();
    const { run } = await train(config, { runs, source, backend: backend() });
    const expected = { files: await checkpointDigests(run, steps), scales: await scalesOf(run) };
    for (const after of [1, 5, 9]) {
      const copy = join(runs, `after-${after}`);
      await cp(run, copy, { recursive: true });
      for (let later = after + 1; later <= steps; later++)
        await rm(join(checkpointFolder(copy), stepName(later)), { recursive: true });
      await resume(copy, { source, backend: backend() });
      expect({ files: await checkpointDigests(copy, steps), scales: await scalesOf(copy) }).toEqual(expected);
    }
  });
});

it.skipIf(skip)(`learns digits in fp16 as well as in fp32${skip ? ` (skipped: ${skip})` : ''}`, async () => {
  const losses = [];
  for (const precision of ['fp32', 'fp16'] as const) {
    const result = await train(
      {
        ...tinyDigits,
        optimizer: { learningRate: 2e-3 },
        train: { ...tinyDigits.train, batchSize: 32, checkpointEvery: 0, precision },
        heldOut: { count: 64 },
      },
      { runs: await temporaryFolder() },
    );
    losses.push(result.metrics!.heldOutLoss!);
  }
  // It was 1.9 at the beginning.
  expect(losses[0]).toBeLessThan(1.5);
  expect(Math.abs(losses[1]! / losses[0]! - 1)).toBeLessThan(0.01);
});
