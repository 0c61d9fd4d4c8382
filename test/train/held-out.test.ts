import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, it } from 'vitest';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { holdOut } from '../../src/data/hold-out.ts';
import type { Source } from '../../src/data/source.ts';
import { velocityProgram } from '../support/velocity-program.ts';
import { philoxNormal } from '../../src/tensor/philox.ts';
import { streams } from '../../src/tensor/random-streams.ts';
import type { StepMetrics } from '../../src/train/metrics.ts';
import { prepareTraining } from '../../src/runner/prepare-run.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { createModel } from '../../src/train/create-model.ts';
import { HeldOut } from '../../src/train/held-out.ts';
import { averagedWeights } from '../../src/train/state.ts';
import { temporaryFolder } from '../support/cli.ts';
import { checkpointBytes, stripes, tinyStripes } from '../support/tiny-run.ts';

const backend = referenceBackend();
const heldOut = { count: 7, every: 3 };

describe('held-out samples', () => {
  it('have the loss that the velocity gives, with weights, averages and without labels', async () => {
    const config = resolveConfig({ ...tinyStripes, heldOut });
    const training = await prepareTraining({ config, backend, source: stripes() });
    const { buffers, split, conditioning, executable } = training;
    const model = createModel(config.model);
    // Weights of a few steps: those of a new model say nothing, whatever they are told.
    for (let step = 1; step <= 3; step++) {
      await executable.run({
        firstSample: Int32Array.of(0),
        x0: new Float32Array(5 * 96).fill(step / 4),
        labels: Int32Array.of(0, 1, 2, 0, 1),
        step: Int32Array.of(step),
        update: Int32Array.of(step),
        learningRate: Float32Array.of(0.01),
        emaWeight: Float32Array.of(0.5),
      });
    }
    const got = await (await HeldOut.compile({ ...training, split: split! })).evaluate();

    const loss = async (
      weights: typeof buffers | ReturnType<typeof averagedWeights>,
      source: Source,
      isTold: boolean,
    ): Promise<number> => {
      const velocity = await backend.compile(velocityProgram(model, 1, false), weights);
      let total = 0;
      for (let i = 0; i < 7; i++) {
        const x0 = new Float32Array(96);
        const annotation = await source.read(i, x0, 0, { seed: 0, epoch: 0 });
        const stream = streams.heldOutNoise;
        const x1 = philoxNormal({
          seed: config.seed,
          stream,
          step: 0,
          firstSample: i,
          samples: 1,
          elements: 96,
        });
        const t = (i + 0.5) / 7;
        await velocity.run({
          x: x0.map((value, k) => (1 - t) * value + t * x1[k]!),
          t: Float32Array.of(t),
          ...(isTold ? conditioning.encode([annotation], [1, 8, 12]) : { labels: Int32Array.of(3) }),
        });
        const v = (await velocity.read(['velocity'])).velocity;
        x0.forEach((value, k) => (total += (v[k]! - (x1[k]! - value)) ** 2 / 96 / 7));
      }
      return total;
    };
    const { heldOut: held, seen } = split!;
    expect(got.heldOutLoss).toBeCloseTo(await loss(buffers, held, true), 5);
    expect(got.heldOutLossEma).toBeCloseTo(await loss(averagedWeights(model, buffers), held, true), 5);
    expect(got.heldOutLossUnconditional).toBeCloseTo(await loss(buffers, held, false), 5);
    expect(got.trainedLoss).toBeCloseTo(await loss(buffers, seen, true), 5);
    expect(new Set(Object.values(got).map((value) => value.toFixed(4))).size).toBe(4);
  });

  it('are evaluated when it is due, never trained on, and the same after a stop', async () => {
    const runs = await temporaryFolder();
    const all = stripes();
    const reads = new Map<number, number>();
    const source: Source = {
      ...all,
      read(index, ...rest) {
        reads.set(index, (reads.get(index) ?? 0) + 1);
        return all.read(index, ...rest);
      },
    };
    const config = { ...tinyStripes, heldOut };
    const whole = await train({ ...config, name: 'whole' }, { runs, source, backend });
    const held: number[] = [];
    for (let i = 0; i < 7; i++) {
      reads.clear();
      await holdOut(source, 7, 0).heldOut.read(i, new Float32Array(96), 0, { seed: 0, epoch: 0 });
      held.push(...reads.keys());
    }
    reads.clear();
    const sampled = await train(
      { ...config, name: 'rare', heldOut: { count: 7, every: 1000 } },
      { runs, source, backend },
    );
    // Once, at the end.
    expect(held.map((index) => reads.get(index))).toEqual(held.map(() => 1));
    expect(sampled.metrics!.epoch).toBeCloseTo((12 * 5) / 10);

    const { records } = await readMetrics(join(whole.run, 'metrics.jsonl'));
    const due = records.filter(({ heldOutLoss }) => heldOutLoss !== undefined);
    expect(due.map(({ step }) => step)).toEqual([3, 6, 9, 12]);
    const controller = new AbortController();
    const onStep = ({ step }: StepMetrics): void => {
      if (step === 6) controller.abort();
    };
    const stopped = await train(
      { ...config, name: 'stopped' },
      { runs, source, backend, onStep, signal: controller.signal },
    );
    const { metrics } = await resume(stopped.run, { source, backend });
    expect(metrics).toMatchObject({
      heldOutLoss: whole.metrics!.heldOutLoss,
      trainedLoss: whole.metrics!.trainedLoss,
    });
    expect(await checkpointBytes(stopped.run, 12)).toEqual(await checkpointBytes(whole.run, 12));
  });

  it('are refused before a folder is made where they are too many', async () => {
    const runs = await temporaryFolder();
    const config = { ...tinyStripes, heldOut: { count: 9 } };
    await expect(train(config, { runs, source: stripes(), backend })).rejects.toThrow(
      'stripes: has 17 samples, of which heldOut.count keeps 9 out of training. Set heldOut.count to 8 or less',
    );
  });
});

describe('pictures of a run', () => {
  const run = async (gridWeights: 'both' | 'ema' | 'model'): Promise<string> => {
    const sample = { ...tinyStripes.sample, gridWeights };
    const { run: path } = await train(
      { ...tinyStripes, train: { ...tinyStripes.train, steps: 2 }, sample },
      { runs: await temporaryFolder(), source: stripes(), backend },
    );
    return join(path, 'samples');
  };
  const sizeOf = async (path: string): Promise<number[]> => {
    const { width, height } = await sharp(path).metadata();
    return [width, height];
  };
  // 8 x 12 is shown five times as large: three rows of two samples, 2 pixels apart, with "class 0" and so on to their left.
  const [left, top, margin] = [7 * 12 - 2 + 16, 8, 8];
  const times = 20;
  const [width, height] = [left + 2 * 60 + 2 + margin, top + 3 * 40 + 4 + margin];

  it('show the average beside the weights of the step, and the way from noise to a sample for each row', async () => {
    const samples = await run('both');
    const [bothWidth, bothHeight] = await sizeOf(join(samples, 'step-0000002.png'));
    expect(bothWidth).toBeGreaterThan(2 * width);
    expect(bothHeight).toBeGreaterThan(height);
    expect(await sizeOf(join(samples, 'step-0000002-path.png'))).toEqual([
      left + 9 * 60 + 8 * 2 + margin,
      height + times,
    ]);
  });

  it('show one of them alone where that is asked for', async () => {
    const [ema, model] = [await run('ema'), await run('model')];
    for (const folder of [ema, model])
      expect(await sizeOf(join(folder, 'step-0000002.png'))).toEqual([width, height]);
    const pixels = (folder: string): Promise<Buffer> =>
      sharp(join(folder, 'step-0000002.png')).toColourspace('b-w').raw().toBuffer();
    expect((await pixels(ema)).equals(await pixels(model))).toBe(false);
  });

  it('of a way begin with the noise and end with the sample', async () => {
    const samples = await run('ema');
    const path = await sharp(join(samples, 'step-0000002-path.png')).toColourspace('b-w').raw().toBuffer();
    const grid = await sharp(join(samples, 'step-0000002.png')).toColourspace('b-w').raw().toBuffer();
    const noise = philoxNormal({
      seed: 0,
      stream: streams.sampling,
      step: 0,
      firstSample: 0,
      samples: 1,
      elements: 96,
    });
    const pathWidth = left + 9 * 60 + 8 * 2 + margin;
    for (let y = 0; y < 8; y++) {
      for (let x = 0; x < 12; x++) {
        const at = (top + times + 5 * y) * pathWidth + left + 5 * x;
        const grey = Math.round(Math.min(1, Math.max(-1, noise[12 * y + x]!)) * 127.5 + 127.5);
        expect(Math.abs(path[at]! - grey)).toBeLessThanOrEqual(1);
        expect(path[at + 8 * 62]!).toBe(grid[(top + 5 * y) * width + left + 5 * x]!);
      }
    }
  });
});
