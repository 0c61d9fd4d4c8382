import { cp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  exportRun,
  readSafetensors,
  readWeights,
  recordReproduction,
  replay,
  sample,
  train,
} from '../../src/index.ts';
import { diagnose } from '../../src/api/doctor/diagnose.ts';
import { describeRun } from '../../src/cli/info-run.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { nextStage } from '../../src/known/stage-of.ts';
import { patchResizes } from '../../src/models/grow-patches.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import type { ImageModel } from '../../src/train/settings.ts';
import { randomValues } from '../support/random.ts';
import { adaptToStage, growSince, spanOf } from '../../src/runner/stages.ts';
import { spoilt } from '../support/bad-data.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';
import type { ConfigInput, RunConfig } from '../../src/config/config.ts';
import { stepName } from '../../src/runs/checkpoint.ts';
import { readRun } from '../../src/runs/run-folder.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { checkpointOf, endOf, stagedRuns, stagedSteps } from '../support/staged-run.ts';

const STEPS = stagedSteps;
const { runs, quiet, staged, trained } = await stagedRuns();

describe('a run of stages', () => {
  let run: string;
  beforeAll(async () => {
    ({ run } = await trained(staged()));
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
});

it('the last checkpoint of each stage stays, however many are newer', async () => {
  const config = staged({ name: 'kept' });
  const { run } = await trained({
    ...config,
    train: { ...config.train, keepCheckpoints: 1, microBatch: 'auto' },
  });
  expect((await readdir(join(run, 'checkpoints'))).toSorted()).toEqual([3, 5, 7].map(stepName));
  // What auto stood for is recorded: every stage is the same wherever it is resumed.
  const { config: recorded } = await readRun(run);
  expect((recorded as RunConfig).stages.map(({ microBatch }) => microBatch)).toEqual([5, 4, 4]);
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

it('an average that was stored in an earlier stage is resized as the weights are', () => {
  const config = resolveConfig(finer);
  const { channels, width } = config.model as ImageModel;
  const name = 'x_embedder.proj.weight';
  const resize = patchResizes({ width, channels, patchSize: 2 }, 4, 'pseudo-inverse').get(name)!;
  const shape = [width, channels, 2, 2];
  const data = Float32Array.from(randomValues(sizeOf(shape), 1));
  const since = growSince(config, 1);
  const wanted = { dtype: 'F32', shape: resize.shape, data: resize.resize(data, 'weights') };
  expect(since(2)!(name, { dtype: 'F32', shape, data })).toEqual(wanted);
  const other = { dtype: 'F32', shape: [1], data: Float32Array.of(3) } as const;
  expect(since(1)!('final_layer.other', other)).toBe(other);
  expect(since(3)).toBeUndefined();
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
  const [fine, plain] = finer.stages!;
  const larger = { ...finer, stages: [fine!, { ...plain, batchSize: 10 }] };
  expect(spanOf(resolveConfig(larger), 0)!.later).toBeCloseTo(2 * first.later, 9);
});

it('a run goes on with the stage of its checkpoint, or with the next where that has ended', () => {
  const config = resolveConfig(finer);
  const next = (step: number, stage: number): number =>
    nextStage('run', config, { path: 'saved', step, state: { stage } });
  expect([next(1, 0), next(2, 0), next(2, 1), next(8, 1)]).toEqual([0, 1, 1, 1]);
  expect(() => next(3, 0)).toThrow(/saved is of stage 1, and by run.config\.json that has steps 1 to 2/);
  expect(() => next(8, 2)).toThrow(/it has no such stage/);
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
