import { rmSync, writeFileSync } from 'node:fs';
import { access, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resume, train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { digitsSource } from '../../src/sources/digits.ts';
import type { StepMetrics } from '../../src/train/metrics.ts';
import { temporaryFolder } from '../support/cli.ts';
import { checkpointBytes, stripes, tinyDigits, tinyStripes } from '../support/tiny-run.ts';

const backend = referenceBackend();
const source = stripes();

describe('a run', () => {
  it('writes config, metrics, a checkpoint and a grid, and tells its observer', async () => {
    const runs = await temporaryFolder();
    const told: string[] = [];
    const result = await train(
      { ...tinyStripes, train: { ...tinyStripes.train, sampleEvery: 8, checkpointEvery: 6 } },
      {
        runs,
        source,
        backend,
        onStart: ({ step, steps, samples }) => told.push(`start ${step} ${steps} ${samples}`),
        onStep: ({ step }) => told.push(`step ${step}`),
        onSamples: (step) => told.push(`samples ${step}`),
        onCheckpoint: (step) => told.push(`checkpoint ${step}`),
      },
    );
    // The checkpoint of step 6 is told when it is written, which is some time during the steps after it.
    expect(told.indexOf('checkpoint 6')).toBeGreaterThan(told.indexOf('step 6'));
    expect(told.indexOf('checkpoint 6')).toBeLessThan(told.indexOf('checkpoint 12'));
    expect(told.filter((what) => what !== 'checkpoint 6')).toEqual([
      'start 0 12 17',
      'step 1',
      'step 4',
      'step 6',
      'step 8',
      'samples 8',
      'step 12',
      'checkpoint 12',
      'samples 12',
    ]);
    expect(result).toMatchObject({ run: join(runs, 'stripes'), step: 12, finished: true });
    expect(await readdir(join(runs, 'stripes', 'samples'))).toEqual([
      'step-0000008-path.png',
      'step-0000008.png',
      'step-0000012-path.png',
      'step-0000012.png',
    ]);
    const { records } = await readMetrics(join(runs, 'stripes', 'metrics.jsonl'));
    expect(records.map(({ step }) => step)).toEqual([1, 4, 6, 8, 12]);
    expect(records.at(-1)).toEqual(result.metrics);
    expect(result.metrics!.epoch).toBeCloseTo((12 * 5) / 17);
  });

  it('begins with a loss of 1 + mean(x0^2): the untrained velocity is zero', async () => {
    const runs = await temporaryFolder();
    const digits = await digitsSource({ split: 'test' });
    const batchSize = 256;
    const config = {
      ...tinyDigits,
      train: { ...tinyDigits.train, steps: 1, batchSize },
      model: { width: 8, depth: 1, heads: 1, patchSize: 14 },
    };
    const { metrics } = await train(config, { runs, backend });
    const all = new Float32Array(28 * 28);
    let square = 0;
    for (let i = 0; i < digits.count; i++) {
      await digits.read(i, all, 0, { seed: 0, epoch: 0 });
      square += all.reduce((sum, value) => sum + value * value, 0) / all.length / digits.count;
    }
    expect(Math.abs(metrics!.loss / (1 + square) - 1)).toBeLessThan(0.01);
  });

  it('trains without classes', async () => {
    const runs = await temporaryFolder();
    const config = { ...tinyStripes, model: { ...tinyStripes.model, classes: 0 } };
    const { samples } = await train(config, { runs, source, backend });
    await expect(access(samples!)).resolves.toBeUndefined();
  });

  it('keeps the newest checkpoints, and those of every so many steps', async () => {
    const runs = await temporaryFolder();
    const keep = { checkpointEvery: 2, keepCheckpoints: 1, keepEvery: 4 };
    const config = { ...tinyStripes, train: { ...tinyStripes.train, steps: 11, ...keep } };
    const { run } = await train(config, { runs, source, backend });
    const kept = ['step-0000004', 'step-0000008', 'step-0000011'];
    expect((await readdir(join(run, 'checkpoints'))).toSorted()).toEqual(kept);
  });

  it('does not end because a picture cannot be written', async () => {
    const runs = await temporaryFolder();
    const notices: string[] = [];
    const result = await train(tinyStripes, {
      runs,
      source,
      backend,
      onStart: ({ run }) => rmSync(join(run, 'samples'), { recursive: true }),
      onStep: ({ step }) => {
        if (step === 1) writeFileSync(join(runs, 'stripes', 'samples'), '');
      },
      onNotice: (text) => notices.push(text),
    });
    expect(result).toMatchObject({ step: 12, finished: true, samples: undefined });
    expect(notices).toEqual([expect.stringContaining('the picture cannot be written')]);
  });

  it('takes the next name that is free', async () => {
    const runs = await temporaryFolder();
    const config = { ...tinyStripes, train: { ...tinyStripes.train, steps: 1 } };
    const names = [];
    for (let i = 0; i < 3; i++) names.push((await train(config, { runs, source, backend })).run);
    expect(names).toEqual(['stripes', 'stripes-2', 'stripes-3'].map((name) => join(runs, name)));
    const { config: recorded } = JSON.parse(await readFile(join(names[2]!, 'config.json'), 'utf8'));
    expect(recorded).toMatchObject({ name: 'stripes-3', train: { precision: 'fp32' } });
  });

  it('keeps in its folder what was told about a sink', async () => {
    const runs = await temporaryFolder();
    const broken = {
      name: 'my sink',
      scalars: () => {
        throw new Error('it is full');
      },
    };
    const told: string[] = [];
    const { run } = await train(tinyStripes, {
      runs,
      source,
      backend,
      sinks: [broken],
      onNotice: (text) => told.push(text),
    });
    expect(told[0]).toMatch(/^my sink gets no more metrics: it is full\./);
    expect(await readFile(join(run, 'notices.log'), 'utf8')).toMatch(
      /^step [01]: my sink gets no more metrics: it is full\./,
    );
  });

  it('leaves no folder behind where data and model do not fit', async () => {
    const runs = await temporaryFolder();
    const config = { ...tinyStripes, model: { ...tinyStripes.model, imageSize: [8, 8] as const } };
    await expect(train(config, { runs, source, backend })).rejects.toThrow(/stripes: images are \[C, H, W\]/);
    expect(await readdir(runs)).toEqual([]);
  });

  it('stops when the loss stays no number, naming the step and the last good checkpoint', async () => {
    const runs = await temporaryFolder();
    const config = {
      ...tinyStripes,
      optimizer: { learningRate: 1e30, warmupSteps: 0, clipNorm: 0 },
      train: { ...tinyStripes.train, checkpointEvery: 1 },
    };
    const run = join(runs, 'stripes');
    const problem = train(config, { runs, source, backend });
    await expect(problem).rejects.toThrow(
      /training diverged: 5 of the last 100 steps were not finite, after going back 3 times\. At step 6 the loss is (NaN|Infinity)\. The first bad value is in the forward pass.*The last good checkpoint is .*step-0000001/s,
    );
    expect(await readdir(join(run, 'checkpoints'))).toEqual(['step-0000001']);
  });
});

describe('a run that was stopped', () => {
  it('goes on to the bit: in the middle of an epoch, at its end, and where no step was logged', async () => {
    const runs = await temporaryFolder();
    const whole = await train({ ...tinyStripes, name: 'whole' }, { runs, source, backend });
    const expected = await checkpointBytes(whole.run, 12);
    const losses = (await readMetrics(join(whole.run, 'metrics.jsonl'))).records.map(({ loss }) => loss);
    // 17 images in batches of 5: step 7 ends in the third epoch.
    for (const stopAt of [1, 4, 7]) {
      const name = `stopped-at-${stopAt}`;
      const stopped = await train(
        { ...tinyStripes, name, train: { ...tinyStripes.train, logEvery: 1 } },
        { runs, source, backend, ...stopAfter(stopAt) },
      );
      expect(stopped).toMatchObject({ step: stopAt, finished: false });
      const result = await resume(stopped.run, { source, backend });
      expect(result).toMatchObject({ step: 12, finished: true });
      expect(await checkpointBytes(stopped.run, 12)).toEqual(expected);
      const { records } = await readMetrics(join(stopped.run, 'metrics.jsonl'));
      expect(records.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
      expect(records.filter(({ step }) => [1, 4, 8, 12].includes(step)).map(({ loss }) => loss)).toEqual(
        losses,
      );
    }
  });

  it('has nothing left to do when it was at its end', async () => {
    const runs = await temporaryFolder();
    const { run } = await train(tinyStripes, { runs, source, backend });
    expect(await resume(run, { source, backend })).toMatchObject({
      step: 12,
      finished: true,
      metrics: undefined,
    });
  });

  it('begins again when it had saved nothing', async () => {
    const runs = await temporaryFolder();
    const stopped = await train(tinyStripes, { runs, source, backend, signal: AbortSignal.abort() });
    expect(stopped).toMatchObject({ step: 0, finished: false, checkpoint: undefined });
    const notices: string[] = [];
    const result = await resume(stopped.run, { source, backend, onNotice: (text) => notices.push(text) });
    expect(result.finished).toBe(true);
    expect(notices).toEqual([expect.stringMatching(/no checkpoint was saved yet/)]);
  });

  it('says that only a program can go on with data of its own', async () => {
    const runs = await temporaryFolder();
    const { run } = await train(tinyStripes, { runs, source, backend });
    await expect(resume(run, { backend })).rejects.toThrow(/custom data is handed over by the program/);
  });

  it('refuses a checkpoint that does not fit its config', async () => {
    const runs = await temporaryFolder();
    const { run } = await train(tinyStripes, { runs, source, backend });
    const file = join(run, 'config.json');
    await writeFile(file, (await readFile(file, 'utf8')).replace('"width": 16', '"width": 24'));
    await expect(resume(run, { source, backend })).rejects.toThrow(
      /model\.safetensors: does not fit the model: .* has shape \[.*\], the model \[.*\]; .* and \d+ more/,
    );
  });
});

/** Stops a run after a step, as a signal that arrives while it is running would. */
function stopAfter(last: number): { signal: AbortSignal; onStep(metrics: StepMetrics): void } {
  const controller = new AbortController();
  return {
    signal: controller.signal,
    onStep: ({ step }) => {
      if (step === last) controller.abort();
    },
  };
}
