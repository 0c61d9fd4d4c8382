import { cp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  exportRun,
  readSafetensors,
  readWeights,
  recordReproduction,
  replay,
  resume,
  sample,
  train,
} from '../../src/index.ts';
import { diagnose } from '../../src/api/doctor/diagnose.ts';
import { describeRun } from '../../src/cli/info-run.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { adaptToStage, spanOf } from '../../src/runner/stages.ts';
import { spoilt } from '../support/bad-data.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { stageOf } from '../../src/known/stage-of.ts';
import { stepName, verifyCheckpoint } from '../../src/runs/checkpoint.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import type { MetricSink } from '../../src/sinks/metric-sink.ts';
import { temporaryFolder } from '../support/cli.ts';
import { pictureFolder } from '../support/picture-folder.ts';

const STEPS = 7;
let pictures: string;
let runs: string;
beforeAll(async () => {
  [pictures, runs] = [await pictureFolder(), await temporaryFolder()];
});

/** 8x8 in patches of 2, 8x12 in patches of 4, 16x16 in patches of 4: patches grow, then the grid. */
const staged = (changes: ConfigInput = {}): ConfigInput => ({
  name: 'grown',
  data: { source: 'folder', path: pictures, channels: 1, size: 16 },
  model: { width: 16, depth: 1, heads: 2, patchSize: 4 },
  stages: [
    { imageSize: 8, patchSize: 2, steps: 3, batchSize: 5, learningRate: 2e-3 },
    { imageSize: [8, 12], steps: 2 },
    { steps: 2, learningRate: 5e-4, warmupSteps: 2 },
  ],
  train: { batchSize: 4, logEvery: 1, sampleEvery: 0, checkpointEvery: 1, keepCheckpoints: STEPS },
  optimizer: { learningRate: 1e-3, warmupSteps: 1 },
  ema: { decays: [0.9], power: [0.1], snapshotEvery: 1 },
  sample: { steps: 1, perClass: 1 },
  loader: { workers: 1, prefetch: 1 },
  ...changes,
});

const quiet = { backend: referenceBackend() };

interface Ended {
  readonly run: string;
  readonly notices: readonly string[];
}

async function trained(config: ConfigInput): Promise<Ended> {
  const notices: string[] = [];
  const onNotice = (text: string): void => void notices.push(text);
  const { run, finished } = await train(config, { runs, ...quiet, onNotice });
  expect(finished).toBe(true);
  return { run, notices };
}

const checkpointOf = (run: string, step: number): ReturnType<typeof verifyCheckpoint> =>
  verifyCheckpoint(join(run, 'checkpoints', stepName(step)));

async function shapeOf(run: string, step: number, name: string): Promise<readonly number[]> {
  return (await (await checkpointOf(run, step)).open('model'))!.slots.get(name)!.shape;
}

async function endOf(run: string): Promise<unknown> {
  const { records } = await readMetrics(join(run, 'metrics.jsonl'));
  const steps = records.map(({ step, stage, loss, gradNorm, learningRate, epoch, updateRatio }) => {
    return { step, stage, loss, gradNorm, learningRate, epoch, updateRatio };
  });
  const { files, state } = await checkpointOf(run, STEPS);
  const { seconds: _, trainedWith: __, ...counts } = state;
  const averages: Record<string, string> = {};
  for (const name of (await readdir(join(run, 'averages'))).toSorted())
    averages[name] = (await readFile(join(run, 'averages', name))).toString('base64');
  return { files, counts, steps, averages };
}

describe('a run of stages', () => {
  let run: string;
  let notices: readonly string[];
  beforeAll(async () => {
    ({ run, notices } = await trained(staged()));
  });

  it('is one run with one log, whose steps, epochs and updates go on', async () => {
    const { records } = await readMetrics(join(run, 'metrics.jsonl'));
    expect(records.map(({ step, stage }) => [step, stage])).toEqual([
      [1, 1],
      [2, 1],
      [3, 1],
      [4, 2],
      [5, 2],
      [6, 3],
      [7, 3],
    ]);
    const seen = [5, 10, 15, 19, 23, 27, 31];
    expect(records.map(({ epoch }) => Math.round((epoch as number) * 13))).toEqual(seen);
    expect((await checkpointOf(run, STEPS)).state).toMatchObject({ updates: STEPS, stage: 2 });
    expect(await readdir(runs)).toEqual(['grown']);
  });

  it('has a schedule over all of it, at the peak of each stage, which warms up again', async () => {
    const { records } = await readMetrics(join(run, 'metrics.jsonl'));
    const cosine = (step: number): number => (1 + Math.cos((Math.PI * (step - 1)) / (STEPS - 1))) / 2;
    const peaks = [2e-3, 2e-3, 2e-3, 1e-3, 1e-3, 5e-4, 5e-4];
    const warm = [1, 1, 1, 1, 1, 0.5, 1];
    records.forEach(({ learningRate }, i) =>
      expect(learningRate).toBeCloseTo(peaks[i]! * warm[i]! * cosine(i + 1), 8),
    );
  });

  it('has checkpoints of the size of their stage, and pictures too', async () => {
    expect(await shapeOf(run, 3, 'x_embedder.proj.weight')).toEqual([16, 1, 2, 2]);
    expect(await shapeOf(run, 3, 'pos_embed')).toEqual([1, 16, 16]);
    expect(await shapeOf(run, 5, 'x_embedder.proj.weight')).toEqual([16, 1, 4, 4]);
    expect(await shapeOf(run, 5, 'pos_embed')).toEqual([1, 6, 16]);
    expect(await shapeOf(run, 7, 'final_layer.linear.weight')).toEqual([16, 16]);
    expect(await shapeOf(run, 7, 'pos_embed')).toEqual([1, 16, 16]);
    for (const step of [3, 5, 7]) {
      const saved = await checkpointOf(run, step);
      expect(stageOf(saved)).toBe([3, 5, 7].indexOf(step));
      expect(saved.state['data']).toMatchObject({
        shape: [
          1,
          ...[
            [8, 8],
            [8, 12],
            [16, 16],
          ][stageOf(saved)]!,
        ],
      });
    }
    const sizes = [3, 5, 7].map(async (step) => {
      const { width, height } = await sharp(join(run, 'samples', `${stepName(step)}.png`)).metadata();
      return `${width}x${height}`;
    });
    const [square, wide, large] = await Promise.all(sizes);
    // Small images are enlarged so far that people see them.
    expect(wide).not.toBe(square);
    expect(large).not.toBe(wide);
  });

  it('is sampled at the size of the checkpoint that is asked for', async () => {
    for (const [checkpoint, side] of [
      [3, 8],
      [7, 16],
    ] as const) {
      const made = await sample(run, { checkpoint, count: 1, steps: 1, ...quiet });
      expect(made.shape).toEqual([1, side, side]);
    }
  });

  it('says what is kept, resized and new, and the loss before and after', async () => {
    const log = await readFile(join(run, 'notices.log'), 'utf8');
    for (const texts of [notices.join('\n'), log]) {
      expect(texts).toContain(
        'final_layer.linear.bias [4] -> [16], final_layer.linear.weight [4, 16] -> [16, 16], ' +
          'x_embedder.proj.weight [16, 1, 2, 2] -> [16, 1, 4, 4]. Kernels of patches are resized by the pseudo-inverse',
      );
      expect(texts).toMatch(/stage 2 of 3 begins after step 3: \d+ parameters kept as they are, 3 resized/);
      expect(texts).toMatch(
        /Tokens were 4x4 and are 2x3 now: their positions are computed anew, by whole numbers/,
      );
      expect(texts).toMatch(/The moments of the optimizer are resized with them/);
      expect(texts).toMatch(
        /The loss on 6 samples, at the same times, was \d\.\d+ \(with EMA weights \d\.\d+\) at 8x8, and is \d\.\d+ \(with EMA weights \d\.\d+\) at 8x12/,
      );
      expect(texts).toMatch(
        /stage 3 of 3 begins after step 5: \d+ parameters kept as they are, 0 resized\. None is new/,
      );
    }
    expect(log.match(/stage 2 of 3 begins/g)).toHaveLength(1);
  });

  it('ends to the bit as if it had not stopped, wherever it is resumed', async () => {
    const expected = await endOf(run);
    for (let step = 1; step < STEPS; step++) {
      const resumed = join(runs, `after-${step}`);
      await cp(run, resumed, { recursive: true });
      for (let later = step + 1; later <= STEPS; later++)
        await rm(join(resumed, 'checkpoints', stepName(later)), { recursive: true });
      await resume(resumed, quiet);
      expect({ step, end: await endOf(resumed) }).toEqual({ step, end: expected });
    }
  });

  it('is done again step by step, over the boundaries, with equal losses', async () => {
    const { from, steps } = await replay(run, 2, STEPS, quiet);
    expect(from).toBe(1);
    expect(steps.map(({ step, isEqual }) => [step, isEqual])).toEqual(
      [2, 3, 4, 5, 6, 7].map((step) => [step, true]),
    );
    expect((await replay(run, 4, 4, quiet)).steps).toMatchObject([{ step: 4, isEqual: true }]);
  });

  it('has averages of any length, also of what was stored before the model grew', async () => {
    const saved = await checkpointOf(run, STEPS);
    const [made, kept] = [
      await readWeights(run, saved, { emaLength: 0.1 }),
      await readWeights(run, saved, { weights: 'ema:power-0.1' }),
    ];
    for (const [name, { shape, data }] of kept) {
      expect(made.get(name)!.shape).toEqual(shape);
      const far = (made.get(name)!.data as Float32Array).map((value, i) => Math.abs(value - Number(data[i])));
      expect(Math.max(...far)).toBeLessThan(2e-3);
    }
    const other = await readWeights(run, saved, { emaLength: 0.16 });
    expect(other.get('x_embedder.proj.weight')!.shape).toEqual([16, 1, 4, 4]);
    expect((await sample(run, { count: 1, emaLength: 0.16, ...quiet })).shape).toEqual([1, 16, 16]);
  });

  it('is exported as its checkpoint is', async () => {
    for (const [checkpoint, side] of [
      [3, 2],
      [7, 4],
    ] as const) {
      const to = join(runs, `exported-${checkpoint}.safetensors`);
      await exportRun(run, { to, checkpoint });
      const { tensors, metadata } = await readSafetensors(to);
      expect(tensors.get('x_embedder.proj.weight')!.shape).toEqual([16, 1, side, side]);
      expect(JSON.parse(metadata['model']!)).toMatchObject({ patchSize: side });
    }
  });

  it('is described with its stages', async () => {
    const lines = await describeRun(run);
    expect(lines).toContain(
      '  stages       1: 8x8 in patches of 2, steps 1 to 3, 5 samples each, learning rate 0.002: done',
    );
    expect(lines.join('\n')).toContain(
      '  3: 16x16 in patches of 4, steps 6 to 7, 4 samples each, learning rate 0.0005: done',
    );
    const early = join(runs, 'early');
    await cp(run, early, { recursive: true });
    for (const later of [5, 6, 7]) await rm(join(early, 'checkpoints', stepName(later)), { recursive: true });
    const states = (await describeRun(early)).flatMap(
      (line) => /learning rate .*: (.*)$/.exec(line)?.[1] ?? [],
    );
    expect(states).toEqual(['done', 'under way', 'to come']);
    expect((await describeRun(early)).join()).toContain('12x8, 1 channel'.replace('12x8', '8x12'));
  });

  it('is recorded for others to repeat, who need not accept its data', async () => {
    const record = await recordReproduction(run);
    expect(record.data).not.toBeNull();
    const known = { path: 'record.json', step: 0, state: { data: record.trainedOn } };
    const again = await train(record.config as ConfigInput, { runs, ...quiet, known });
    expect(await endOf(again.run)).toEqual(await endOf(run));
  });

  it('that is done has nothing left', async () => {
    const { finished, step, metrics } = await resume(run, quiet);
    expect({ finished, step, metrics }).toEqual({ finished: true, step: STEPS, metrics: undefined });
  });

  it('refuses a config whose stages are no longer those of the checkpoint', async () => {
    const edited = join(runs, 'edited');
    await cp(run, edited, { recursive: true });
    const file = join(edited, 'config.json');
    const record = JSON.parse(await readFile(file, 'utf8'));
    Object.assign(record.config.stages[2], { steps: 1, warmupSteps: 0 });
    record.config.train.steps = 6;
    await writeFile(file, JSON.stringify(record));
    await expect(resume(edited, quiet)).rejects.toThrow(
      /step-0000007 is of stage 3, and by .*config\.json that has steps 6 to 6\. Has the config been edited/,
    );
  });
});

it('a run that is stopped as a stage ends goes on with the next one', async () => {
  const config = staged({ name: 'stopped' });
  const controller = new AbortController();
  const onCheckpoint = (step: number): void => {
    if (step === 3) controller.abort();
  };
  const { run, finished, step } = await train(config, {
    runs,
    ...quiet,
    onCheckpoint,
    signal: controller.signal,
  });
  expect({ finished, step: step <= 4 }).toEqual({ finished: false, step: true });
  expect(await resume(run, quiet)).toMatchObject({ finished: true, step: STEPS });
});

it("moments begin anew where that is asked for, and the optimizer's correction with them", async () => {
  const { run, notices } = await trained(staged({ name: 'anew', growth: { moments: 'new' } }));
  expect(notices.join()).toMatch(/The moments of the optimizer begin with zero/);
  const { state } = await checkpointOf(run, STEPS);
  expect(state).toMatchObject({ updates: STEPS, momentsFrom: 5 });
  const kept = (await checkpointOf(join(runs, 'grown'), STEPS)).state;
  expect(kept).not.toHaveProperty('momentsFrom');
  // A first step from zero moves every weight by about the learning rate; kept moments are no first step.
  const { records } = await readMetrics(join(run, 'metrics.jsonl'));
  const { records: others } = await readMetrics(join(runs, 'grown', 'metrics.jsonl'));
  expect(records[2]!['loss']).toBe(others[2]!['loss']);
  expect(records[3]!['loss']).toBe(others[3]!['loss']);
  expect(records[4]!['loss']).not.toBe(others[4]!['loss']);
  const resumed = join(runs, 'anew-resumed');
  await cp(run, resumed, { recursive: true });
  for (const later of [6, 7]) await rm(join(resumed, 'checkpoints', stepName(later)), { recursive: true });
  await resume(resumed, quiet);
  expect(await endOf(resumed)).toEqual(await endOf(run));
});

it("a program's sinks are told of all stages, and end once", async () => {
  const told: string[] = [];
  const sink: MetricSink = {
    name: 'own',
    start: () => void told.push('start'),
    scalars: (step) => void told.push(`${step}`),
    end: (outcome) => void told.push(outcome),
  };
  await train(staged({ name: 'told' }), { runs, ...quiet, sinks: [sink] });
  expect(told).toEqual(['start', '1', '2', '3', '4', '5', '6', '7', 'finished']);
});

it('the last checkpoint of each stage stays, however many are newer', async () => {
  const train_ = { ...staged().train, keepCheckpoints: 1 };
  const { run } = await trained(staged({ name: 'kept', train: train_ }));
  expect((await readdir(join(run, 'checkpoints'))).toSorted()).toEqual([3, 5, 7].map(stepName));
});

/** Of one size, so that a program can hand the data over: patches of 2, then of 4. */
const finer: ConfigInput = {
  ...tinyStripes,
  name: 'finer',
  stages: [{ patchSize: 2, steps: 2 }, { steps: 6 }],
  train: {
    batchSize: 5,
    logEvery: 1,
    sampleEvery: 0,
    checkpointEvery: 0,
    badSteps: { rollBackAfter: 2, window: 3, stopAfter: 1 },
  },
};

it('training that goes back to before its first checkpoint of a stage grows again', async () => {
  const notices: string[] = [];
  const onNotice = (text: string): void => void notices.push(text);
  const source = spoilt(stripes(), [3, 4]);
  const { run, finished } = await train(finer, { runs, ...quiet, source, onNotice });
  expect(finished).toBe(true);
  expect(notices.join('\n')).toMatch(/training went back from step 4 to the checkpoint of step 2/);
  const { state } = await checkpointOf(run, 8);
  expect(state).toMatchObject({ stage: 1, updates: 8, rollBacks: 1 });
  const { records } = await readMetrics(join(run, 'metrics.jsonl'));
  expect(records.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

it('a stage begins with the last checkpoint of the one before alone', () => {
  const config = resolveConfig(finer);
  const saved = (step: number, stage: number) => ({
    path: `run/step-${step}`,
    step,
    state: { stage },
    open: async () => undefined,
  });
  expect(() => adaptToStage(config, 1, saved(1, 0))).toThrow(
    'run/step-1: the checkpoint from which stage 2 began, of step 2, is damaged or gone. Resume the run',
  );
  const own = saved(3, 1);
  expect(adaptToStage(config, 1, own)).toBe(own);
  expect(() => adaptToStage(config, 1, { ...own, state: { stage: 'x' } })).toThrow(/state\.stage/);
});

it('what later stages take is told in steps of the first', () => {
  const config = resolveConfig(finer);
  const [first, second] = [spanOf(config, 0)!, spanOf(config, 1)!];
  expect(first).toMatchObject({ after: 0, until: 2, warmupSteps: 0, ends: [2, 8] });
  expect(second).toMatchObject({ after: 2, until: 8, later: 0 });
  // A quarter of the tokens take less than half of the work.
  expect(first.later).toBeGreaterThan(0);
  expect(first.later).toBeLessThan(3);
  expect(spanOf(resolveConfig(tinyStripes), 0)).toBeUndefined();
});

it('the doctor looks at every stage', async () => {
  const checks = await diagnose(staged({ train: { batchSize: 4, checkpointEvery: 1 } }), {
    ...quiet,
    overfitSeconds: 1,
  });
  const texts = Object.fromEntries(checks.map(({ name, text }) => [name, text]));
  expect(texts['memory']).toMatch(/^stage \d, \d+x\d+: training takes about/);
  expect(texts['one batch']).toMatch(/^stage 1, 8x8: /);
});
