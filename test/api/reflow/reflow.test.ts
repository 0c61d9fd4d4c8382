import { mkdir, readFile, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { learnPairs } from '../../../src/api/reflow/learn-pairs.ts';
import { makePairs } from '../../../src/api/reflow/make-pairs.ts';
import { type ReflowOptions, reflow } from '../../../src/api/reflow/reflow.ts';
import { sample } from '../../../src/api/sample.ts';
import { resume, train } from '../../../src/api/train.ts';
import { referenceBackend } from '../../../src/backends/reference/index.ts';
import { readSafetensors } from '../../../src/formats/safetensors-file.ts';
import { latestCheckpoint, listCheckpoints } from '../../../src/runs/checkpoint.ts';
import { readMetrics } from '../../../src/runs/metrics-log.ts';
import { readRun } from '../../../src/runs/run-folder.ts';
import { openPairs } from '../../../src/sources/pairs.ts';
import { createModel } from '../../../src/train/create-model.ts';
import type { StepMetrics } from '../../../src/train/metrics.ts';
import { loadWeights } from '../../../src/train/restore.ts';
import type { ConfigInput } from '../../../src/config/config.ts';
import { resolveConfig } from '../../../src/config/resolve-config.ts';
import { keptRuns } from '../../golden/kept-runs.ts';
import { temporaryFolder } from '../../support/cli.ts';
import { pictureFolder } from '../../support/picture-folder.ts';
import { checkpointBytes, stripes, tinyStripes } from '../../support/tiny-run.ts';
import { velocityProgram } from '../../support/velocity-program.ts';

const backend = referenceBackend();
const source = stripes();
let folder: string;
let run: string;
let options: ReflowOptions;
beforeAll(async () => {
  folder = await temporaryFolder();
  const config = {
    ...tinyStripes,
    optimizer: { learningRate: 1e-2 },
    flow: { lossWeighting: { kind: 'min-snr' } },
    heldOut: { count: 2 },
    sample: { ...tinyStripes.sample, guidanceInterval: [0.1, 0.9] },
  } as const;
  ({ run } = await train(config, { runs: folder, source, backend }));
  options = { runs: folder, pairs: 13, perShard: 5, steps: 3, backend, source };
});

const pairsIn = (name: string): string => join(folder, 'pairs', name);
const named = (name: string, more: ReflowOptions = {}): ReflowOptions => ({
  ...options,
  name,
  folder: pairsIn(name),
  ...more,
});

describe('a run that learns from pairs is refused', () => {
  it('where its weights are not those that made them', async () => {
    const other = await train({ ...tinyStripes, name: 'other', seed: 4 }, { runs: folder, source, backend });
    const pairs = await makePairs(run, pairsIn('mine'), options);
    await expect(learnPairs(other.run, pairs, { backend, runs: folder })).rejects.toThrow(
      /holds pairs made by another model: .*stripes, step 12 \(ema\), whose weights are not those of .*other, step 12/,
    );
    await expect(reflow(other.run, named('mine'))).rejects.toThrow('holds pairs made by another model');
  });

  it('where its name is that of a run that learns something else', async () => {
    await expect(reflow(run, named('other'))).rejects.toThrow(
      'other: holds a run with other settings. Give another --name, or the options of then',
    );
    await reflow(run, named('taken'));
    await expect(reflow(run, named('taken', { distill: 1 }))).rejects.toThrow(
      'taken: holds a run with other',
    );
    await expect(reflow(run, named('taken', { changes: { seed: 3 } }))).rejects.toThrow(
      'holds a run with other',
    );
  });

  it('where settings of it are wrong, before any pairs are made', async () => {
    const wrong = named('wrong', { changes: { optimizer: { learningRate: -1 } } });
    await expect(reflow(run, wrong)).rejects.toThrow(
      'optimizer.learningRate: wanted a number above 0, found -1',
    );
    await expect(
      reflow(run, named('wrong', { changes: { flow: { objective: { kind: 'ddpm' } } } })),
    ).rejects.toThrow('flow.objective.kind: wanted rectified-flow');
    await expect(reflow(run, named('wrong', { distill: 0 }))).rejects.toThrow(
      'timeSampling.steps: wanted a whole',
    );
    expect(await readdir(folder)).not.toContain('wrong');
    expect(await readdir(join(folder, 'pairs'))).not.toContain('wrong');
  });

  it('where the pairs became those of another model since', async () => {
    const { training } = await reflow(run, named('swapped', { changes: { train: { steps: 2 } } }));
    await rm(pairsIn('swapped'), { recursive: true });
    await makePairs(join(folder, 'other'), pairsIn('swapped'), options);
    await expect(resume(training.run, { backend })).rejects.toThrow(
      /the pairs were made by .*other, step 12, with other weights than those of .*stripes, step 12/,
    );
  });
});

describe('reflow', () => {
  it('begins with the weights that made the pairs, at U-shaped times, without guidance', async () => {
    const notices: string[] = [];
    const { pairs, training } = await reflow(run, {
      ...named('reflowed', {
        changes: { train: { checkpointEvery: 1, keepCheckpoints: 99 }, optimizer: { learningRate: 1e-9 } },
      }),
      onNotice: (text) => notices.push(text),
    });
    expect([pairs.made, training.step, training.finished]).toEqual([13, 12, true]);
    expect((await readRun(training.run)).config).toMatchObject({
      name: 'reflowed',
      data: { source: 'pairs', path: pairsIn('reflowed') },
      flow: {
        timeSampling: { kind: 'u-shaped', a: 4, stratified: true },
        coupling: 'pairs',
        labelDropout: 0,
        lossWeighting: { kind: 'none' },
      },
      ema: { ramp: false },
      heldOut: { count: 0 },
      stages: [],
      sample: { guidance: 1, guidanceInterval: [0, 1], steps: 2 },
      model: { width: 16, classes: 3 },
    });
    expect(notices.join('\n')).toMatch(
      /made with guidance 2: what it does is learnt[^]*begins with the weights that reflow made of .*stripes, step 12/,
    );
    const teacher = await readSafetensors(
      join((await latestCheckpoint(join(run, 'checkpoints'))).path, 'ema.safetensors'),
    );
    const student = await readSafetensors(
      join(training.run, 'checkpoints', 'step-0000001', 'model.safetensors'),
    );
    for (const [name, { data }] of student.tensors)
      (teacher.tensors.get(name)!.data as Float32Array).forEach((value, i) =>
        expect(data[i]).toBeCloseTo(value, 6),
      );
    await expect(sample(training.run, { backend, guidance: 2 })).rejects.toThrow(
      'guidance must be 1 (none): trained with flow.labelDropout 0',
    );
    expect((await sample(training.run, { backend, count: 1 })).values).toHaveLength(3 * 96);
  });

  it('goes on with pairs and run to the same bits, wherever it was stopped', async () => {
    const whole = await reflow(run, named('whole'));
    const stopped = named('stopped');
    for (const at of [5, 10]) {
      const controller = new AbortController();
      const onPairs = (done: number): void => void (done === at && controller.abort());
      await expect(reflow(run, { ...stopped, onPairs, signal: controller.signal })).rejects.toThrow(
        'aborted',
      );
    }
    for (const at of [4, 8]) {
      const controller = new AbortController();
      const onStep = ({ step }: StepMetrics): void => void (step === at && controller.abort());
      const { training } = await reflow(run, { ...stopped, onStep, signal: controller.signal });
      expect(training).toMatchObject({ step: at, finished: false });
    }
    const { pairs, training } = await reflow(run, stopped);
    expect([pairs.made, training.step]).toEqual([0, 12]);
    expect(await checkpointBytes(training.run, 12)).toEqual(await checkpointBytes(whole.training.run, 12));
    const bytes = (name: string): Promise<Buffer> =>
      readFile(join(pairsIn(name), 'pairs-000002.safetensors'));
    expect(await bytes('stopped')).toEqual(await bytes('whole'));
  });

  it('begins again where it was killed before the run had its weights', async () => {
    const { training } = await reflow(run, named('killed', { changes: { train: { steps: 1 } } }));
    const checkpoints = join(training.run, 'checkpoints');
    await rm(checkpoints, { recursive: true });
    await mkdir(checkpoints);
    await reflow(run, named('killed', { changes: { train: { steps: 1 } } }));
    expect(await listCheckpoints(checkpoints)).toEqual([0, 1]);
  });

  it('can be done again, and then distilled', async () => {
    const again = await reflow(join(folder, 'whole'), named('again', { source: undefined, pairs: 6 }));
    expect(again.pairs.manifest).toMatchObject({
      teacher: { run: join(folder, 'whole') },
      sampling: { guidance: 1 },
    });
    const last = await reflow(again.training.run, named('last', { distill: 2, source: undefined, pairs: 6 }));
    expect((await readRun(last.training.run)).config).toMatchObject({
      flow: { timeSampling: { kind: 'steps', steps: 2 }, coupling: 'pairs' },
      sample: { sampler: 'euler', steps: 2, guidance: 1 },
    });
  });

  it.each([0, 3])(
    'of a model that is told sizes, with %d classes, tells it what the new run is told',
    async (classes) => {
      const model = { ...tinyStripes.model, classes, sizeConditioning: true };
      const config = { ...tinyStripes, name: `sizes-${classes}`, model };
      const first = await train(config, { runs: folder, source, backend });
      const { pairs, training } = await reflow(first.run, named(`sized-${classes}`));
      const opened = await openPairs({ source: 'pairs', path: pairs.folder });
      const x0 = new Float32Array(96);
      const { label } = await opened.read(0, x0, 0, { seed: 0, epoch: 0 });
      await opened.close!();
      expect(label === undefined).toBe(classes === 0);
      const asked = { backend, count: 1, steps: 3, placement: { crop: [0, 0] } } as const;
      const { values } = await sample(first.run, { ...asked, ...(classes > 0 && { labels: [label!] }) });
      expect(x0).toEqual(values);
      expect(training.finished).toBe(true);
    },
  );

  it('of a run of stages is of the size of its checkpoint, and has none itself', async () => {
    const config: ConfigInput = {
      ...tinyStripes,
      name: 'staged',
      data: { source: 'folder', path: await pictureFolder(), channels: 1, size: 16 },
      model: { width: 16, depth: 1, heads: 2, patchSize: 4 },
      stages: [{ imageSize: 8, steps: 2 }, { steps: 2 }],
      train: { ...tinyStripes.train, steps: 4, checkpointEvery: 1, keepCheckpoints: 9 },
    };
    const { run: staged } = await train(config, { runs: folder, backend });
    for (const [checkpoint, side] of [
      [1, 8],
      [4, 16],
    ] as const) {
      const more = { checkpoint, source: undefined, changes: { train: { steps: 1 } } };
      const { pairs, training } = await reflow(staged, named(`staged-${side}`, more));
      expect(pairs.manifest.shape).toEqual([1, side, side]);
      expect((await readRun(training.run)).config).toMatchObject({
        stages: [],
        model: { imageSize: [side, side] },
      });
    }
  });

  it('works on captions, whose tokenizer is the one that was learnt, and on cells', async () => {
    for (const name of ['captions', 'cells']) {
      const kept = keptRuns[name]!;
      const data = await kept.source(folder);
      const first = await train(kept.config, { runs: folder, source: data, backend });
      const { training } = await reflow(first.run, named(`${name}-reflow`, { source: data }));
      const [before, after] = await Promise.all(
        [first.run, training.run].map(
          async (each) => (await latestCheckpoint(join(each, 'checkpoints'))).state['data'],
        ),
      );
      expect(after).toMatchObject(
        name === 'captions'
          ? { told: 'caption', tokenizer: (before as { tokenizer: object }).tokenizer }
          : { classNames: ['T', 'B'], record: (before as { record: object }).record },
      );
      const { values } = await sample(training.run, { backend, count: 1, steps: 1 });
      expect(values.every(Number.isFinite)).toBe(true);
    }
  });
});

describe('distillation', () => {
  it('learns the whole way of each pair from its noise alone', async () => {
    const changes = { train: { batchSize: 13, steps: 1 }, optimizer: { learningRate: 1e-9 } };
    const { training } = await reflow(run, named('distilled', { distill: 1, changes }));
    const { records } = await readMetrics(join(training.run, 'metrics.jsonl'));
    // By hand: the squared error of the teacher's velocity at the noise, where t is 1.
    const config = resolveConfig((await readRun(training.run)).config as object);
    const model = createModel(config.model);
    const saved = await latestCheckpoint(join(run, 'checkpoints'));
    const { tensors } = await readSafetensors(join(saved.path, 'ema.safetensors'));
    const weights = await loadWeights(backend, model, tensors, saved.path);
    const velocity = await backend.compile(velocityProgram(model, 1, false), weights);
    const pairs = await openPairs({ source: 'pairs', path: pairsIn('distilled') });
    let total = 0;
    for (let i = 0; i < 13; i++) {
      const x0 = new Float32Array(96);
      const { label, noise } = await pairs.read(i, x0, 0, { seed: 0, epoch: 0 });
      await velocity.run({ x: noise!, t: Float32Array.of(1), labels: Int32Array.of(label!) });
      const v = (await velocity.read(['velocity'])).velocity;
      x0.forEach((value, k) => (total += (v[k]! - (noise![k]! - value)) ** 2 / 96 / 13));
    }
    await pairs.close!();
    expect(records[0]!['loss']).toBeCloseTo(total, 5);
    const made = await sample(training.run, { backend, count: 1 });
    expect(made.made).toMatchObject({ steps: 1, guidance: 1 });
  });
});
