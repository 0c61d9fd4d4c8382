import { cp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { resume, train } from '../../src/api/train.ts';
import { sample } from '../../src/api/sample.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { describeReadings, sizedStripes } from '../support/sized.ts';
import { drawSize } from '../../src/data/size-sampler.ts';
import type { Source } from '../../src/data/source.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import type { StepMetrics } from '../../src/train/metrics.ts';
import { temporaryFolder } from '../support/cli.ts';
import { checkpointDigests } from '../support/tiny-run.ts';

const STEPS = 9;
const config = {
  name: 'sizes',
  data: { source: 'custom' },
  model: { width: 16, depth: 1, heads: 2, patchSize: 4, channels: 1, imageSize: 12, classes: 3 },
  train: {
    steps: STEPS,
    batchSize: 4,
    logEvery: 2,
    sampleEvery: 0,
    checkpointEvery: 3,
    keepCheckpoints: 9,
  },
  optimizer: { learningRate: 1e-3, clipNorm: 0 },
  sample: { steps: 1, perClass: 2, labels: [0, 1] },
  backend: { name: 'reference' },
  loader: { workers: 1, prefetch: 1 },
} as const satisfies ConfigInput;

const heldOut = { heldOut: { count: 5, every: 3 } } as const;
const drawn = ['8x8', '8x12', '12x12'];
const sets: readonly [string, () => Source][] = [
  ['drawn for each step', () => sizedStripes(17)],
  ['of buckets', () => sizedStripes(17, (index) => index % 3)],
];

async function metricsOf(run: string): Promise<StepMetrics[]> {
  return (await readMetrics(join(run, 'metrics.jsonl'))).records as unknown as StepMetrics[];
}

async function outcome(run: string): Promise<unknown> {
  const told = (await metricsOf(run)).map(({ step, loss, size, lossBySize, epoch, heldOutLossBySize }) => {
    return { step, loss, size, lossBySize, epoch, heldOutLossBySize };
  });
  return { told, files: await checkpointDigests(run, STEPS) };
}

describe.each(sets)('a run on data at several sizes, %s', (_, open) => {
  it.each([
    ['as many samples of each', {}],
    ['as many tokens of each, in parts', { batchBy: 'tokens', microBatch: 3 }],
  ] as const)('with %s, is the same wherever it is interrupted, and with other workers', async (__, more) => {
    const runs = await temporaryFolder();
    const whole = { ...config, ...heldOut, train: { ...config.train, ...more } };
    const { run } = await train(whole, { runs, source: open() });
    const wanted = await outcome(run);
    for (const step of [3, 6]) {
      const cut = join(runs, `cut-${step}`);
      await cp(run, cut, { recursive: true });
      for (const name of await readdir(join(cut, 'checkpoints')))
        if (Number(name.slice('step-'.length)) > step)
          await rm(join(cut, 'checkpoints', name), { recursive: true });
      const record = JSON.parse(await readFile(join(cut, 'config.json'), 'utf8'));
      Object.assign(record.config.loader, { workers: 4, prefetch: 3, cacheMiB: 0 });
      await writeFile(join(cut, 'config.json'), JSON.stringify(record));
      await resume(cut, { source: open() });
      expect(await outcome(cut)).toEqual(wanted);
    }
  });

  it('tells losses by size, of steps and of held-out samples, which make the mean', async () => {
    const runs = await temporaryFolder();
    const { run } = await train(
      { ...config, ...heldOut, train: { ...config.train, logEvery: 1 } },
      { runs, source: open() },
    );
    const lines = await metricsOf(run);
    expect(lines).toHaveLength(STEPS);
    for (const { loss, size, lossBySize } of lines) expect(lossBySize).toEqual({ [size!]: loss });
    expect(new Set(lines.map(({ size }) => size)).size).toBeGreaterThan(1);
    const { heldOutLoss, heldOutLossBySize } = lines.at(-1)!;
    const bySize = Object.values(heldOutLossBySize!);
    expect(bySize.length).toBeGreaterThan(1);
    expect(heldOutLoss!).toBeGreaterThanOrEqual(Math.min(...bySize));
    expect(heldOutLoss!).toBeLessThanOrEqual(Math.max(...bySize));
  });
});

it('the size of a step is drawn by seed and step, and its loss is logged with the others since the line before', async () => {
  const runs = await temporaryFolder();
  const options = { runs, source: sizedStripes(17) };
  const every = await train({ ...config, train: { ...config.train, logEvery: 1 } }, options);
  const single = await metricsOf(every.run);
  expect(single.map(({ size }) => size)).toEqual(single.map(({ step }) => drawn[drawSize(0, step, 3)]));
  const { run } = await train({ ...config, train: { ...config.train, logEvery: 4 } }, options);
  let before = 0;
  for (const { step, lossBySize } of await metricsOf(run)) {
    const since = single.slice(before, step);
    before = step;
    const sizes = [...new Set(since.map(({ size }) => size!))];
    for (const name of sizes) {
      const losses = since.filter(({ size }) => size === name).map(({ loss }) => loss);
      const mean = losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
      expect(lossBySize![name]).toBeCloseTo(mean, 6);
    }
    expect(Object.keys(lossBySize!)).toHaveLength(sizes.length);
  }
});

it('held-out samples are measured at every size, each with the same noise, at which each size learns', async () => {
  const runs = await temporaryFolder();
  const { run } = await train(
    { ...config, ...heldOut, train: { ...config.train, logEvery: 1 } },
    { runs, source: sizedStripes(17) },
  );
  const { heldOutLossBySize, heldOutLoss } = (await metricsOf(run)).at(-1)!;
  expect(Object.keys(heldOutLossBySize!)).toEqual(drawn);
  const values = Object.values(heldOutLossBySize!);
  expect(values.reduce((sum, each) => sum + each, 0) / 3).toBeCloseTo(heldOutLoss!, 9);
});

it('held-out samples of buckets are measured at their own size alone', async () => {
  const runs = await temporaryFolder();
  const { source, read } = describeReadings(sizedStripes(17, (index) => index % 3));
  await train({ ...config, ...heldOut }, { runs, source });
  expect(new Set(read.map(({ index }) => index)).size).toBe(17);
  for (const { index, shape } of read) expect(shape).toEqual(source.sizes!.shapes[index % 3]);
});

it('every epoch of buckets ends with a whole batch, and reads each sample', async () => {
  const runs = await temporaryFolder();
  const { source, read } = describeReadings(sizedStripes(17, (index) => index % 3));
  // 6, 6 and 5 samples in batches of 4: two of each bucket.
  const { steps: _, ...lengths } = config.train;
  const epochs = { ...config, train: { ...lengths, epochs: 1, checkpointEvery: 0 } };
  const { step, run } = await train(
    { ...epochs, loader: { ...config.loader, cacheMiB: 0 } },
    { runs, source },
  );
  expect(step).toBe(6);
  const { epoch } = (await metricsOf(run)).at(-1)!;
  expect(epoch).toBe(1);
  const first = read.filter((each) => each.epoch === 0);
  expect(new Set(first.map(({ index }) => index)).size).toBe(17);
  for (const { index, shape } of first) expect(shape).toEqual(source.sizes!.shapes[index % 3]);
});

it('of tokens, a run of epochs is as long as its batches make it', async () => {
  const runs = await temporaryFolder();
  const { steps: _, ...lengths } = config.train;
  const tokens = { ...config, train: { ...lengths, epochs: 2, batchBy: 'tokens' } } as const;
  // Batches of 9 (8x8), 6 (8x12) and 4 samples (12x12), each as likely: 34 samples in batches of 19/3.
  expect((await train(tokens, { runs, source: sizedStripes(17) })).step).toBe(Math.ceil(34 / (19 / 3)));
});

it('samples are shown at every size, and made at any', async () => {
  const runs = await temporaryFolder();
  const { run } = await train(config, { runs, source: sizedStripes(17) });
  const name = `step-${String(STEPS).padStart(7, '0')}`;
  const { width, height } = await sharp(join(run, 'samples', `${name}-sizes.png`)).metadata();
  // Two samples of each, five times as large, with room for what they are.
  expect(height).toBeGreaterThan(5 * (8 + 8 + 12));
  expect(width).toBeGreaterThan(5 * (12 + 12));
  const told: string[] = [];
  const options = { count: 1, labels: [0, 1], steps: 1, weights: 'model' } as const;
  const onNotice = (text: string): void => void told.push(text);
  const { shape, values } = await sample(run, { ...options, imageSize: [16, 4], onNotice });
  expect(shape).toEqual([1, 16, 4]);
  expect(values).toHaveLength(2 * 64);
  expect(told).toEqual([
    'the model was trained at 8x8, 8x12, 12x12: at 16x4 it makes what it has never seen, which may be worse.',
  ]);
  await sample(run, { ...options, imageSize: 8, onNotice });
  expect(told).toHaveLength(1);
});
