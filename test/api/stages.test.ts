import { cp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { beforeAll, describe, expect, it } from 'vitest';
import { growRun, resume, sample, train } from '../../src/index.ts';
import { stageOf } from '../../src/known/stage-of.ts';
import { stepName } from '../../src/runs/checkpoint.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import type { MetricSink } from '../../src/sinks/metric-sink.ts';
import { temporaryFolder } from '../support/cli.ts';
import { checkpointOf, endOf, stagedRuns, stagedSteps } from '../support/staged-run.ts';

const STEPS = stagedSteps;
const { runs, quiet, staged, trained } = await stagedRuns();

async function shapeOf(run: string, step: number, name: string): Promise<readonly number[]> {
  return (await (await checkpointOf(run, step)).open('model'))!.slots.get(name)!.shape;
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
    // The losses are those of a new run that grows so.
    const other = {
      ...quiet,
      runs: await temporaryFolder(),
      checkpoint: 3,
      imageSize: [8, 12],
      patchSize: 4,
    } as const;
    const { before, after } = await growRun(run, other);
    const [was, is] = [before!, after!].map(
      ({ loss, lossEma }) => `${loss.toPrecision(3)} (with EMA weights ${lossEma.toPrecision(3)})`,
    );
    expect(log).toContain(`was ${was} at 8x8, and is ${is} at 8x12 before the first step there`);
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

/** A sink, and what it is told. */
function listening(): { readonly sink: MetricSink; readonly told: string[] } {
  const told: string[] = [];
  const sink: MetricSink = {
    name: 'own',
    start: () => void told.push('start'),
    scalars: (step) => void told.push(`${step}`),
    end: (outcome) => void told.push(outcome),
  };
  return { sink, told };
}

it("a program's sinks are told of an error between two stages, and end once", async () => {
  const { sink, told } = listening();
  const onNotice = (text: string): void => {
    if (text.startsWith('stage 2 of 3 begins')) throw new Error('no more');
  };
  const failing = train(staged({ name: 'failing' }), { runs, ...quiet, sinks: [sink], onNotice });
  await expect(failing).rejects.toThrow('no more');
  expect(told).toEqual(['start', '1', '2', '3', 'failed']);
});

it("a program's sinks are told of all stages, and end once", async () => {
  const { sink, told } = listening();
  await train(staged({ name: 'told' }), { runs, ...quiet, sinks: [sink] });
  expect(told).toEqual(['start', '1', '2', '3', '4', '5', '6', '7', 'finished']);
});
