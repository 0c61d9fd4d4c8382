import { describe, expect, it } from 'vitest';
import type { Buffer, Executable } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { labelCondition } from '../../src/models/model.ts';
import type { Objective } from '../../src/flow/objective.ts';
import { rectifiedFlow } from '../../src/flow/rectified-flow.ts';
import { adamwDefaults, adamwGroups } from '../../src/optim/adamw.ts';
import { trace } from '../../src/program/index.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { type RandomDraw, givenDraw, randomDraw } from '../../src/train/draw.ts';
import { allocateState, averagedWeights, initializeState } from '../../src/train/state.ts';
import { gradientProgram, lossProgram } from '../../src/train/loss.ts';
import { type TrainingStep, trainingStepProgram } from '../../src/train/step.ts';
import { relativeError } from '../support/conformance.ts';
import { randomWeights, tinyDiT } from '../support/models.ts';
import { randomValues } from '../support/random.ts';
import { outputsOf } from '../support/outputs.ts';
import { type VelocityTask, velocityTask } from '../../src/train/velocity-task.ts';

const draw = (changes: Partial<RandomDraw> = {}): RandomDraw => ({
  seed: 11,
  times: { kind: 'uniform' },
  labelDropout: 0.5,
  conditions: labelCondition(3),
  ...changes,
});

interface Changes extends Partial<Omit<TrainingStep, 'task'>>, Partial<VelocityTask> {}

async function newStep({
  model = tinyDiT(),
  draw: random = randomDraw(draw()),
  ...changes
}: Changes = {}): Promise<{
  executable: Executable;
  buffers: Map<string, Buffer>;
}> {
  const backend = referenceBackend();
  const task = velocityTask({ model, draw: random });
  const program = trainingStepProgram({ task, batch: 4, optimizers: adamwGroups(adamwDefaults), ...changes });
  const buffers = allocateState(backend, program);
  await initializeState(backend, model, buffers, 1);
  return { executable: await backend.compile(program, buffers), buffers };
}

const inputs = (batch: number, elements: number, step = 1): Record<string, HostArray> => ({
  x0: Float32Array.from(randomValues(batch * elements, 2)),
  labels: Int32Array.from({ length: batch }, (_, i) => i % 3),
  learningRate: Float32Array.of(1e-3),
  emaWeight: Float32Array.of(0.25),
  step: Int32Array.of(step),
  firstSample: Int32Array.of(0),
  update: Int32Array.of(step),
});

describe('training step', () => {
  it('starts with the loss of a model that predicts nothing, 1 + mean(x0^2)', async () => {
    const model = tinyDiT({ channels: 3, imageSize: [32, 32], depth: 1, patchSize: 8 });
    const { executable } = await newStep({ model, batch: 64 });
    await executable.run(inputs(64, 3 * 32 * 32));
    const squares = randomValues(64 * 3 * 32 * 32, 2).reduce((total, value) => total + value ** 2, 0);
    expect((await executable.read(['loss'])).loss[0]! / (1 + squares / (64 * 3 * 32 * 32))).toBeCloseTo(1, 2);
  });

  it('is a function of seed and step', async () => {
    const losses = async (seed: number, step: number): Promise<number> => {
      const { executable } = await newStep({ draw: randomDraw(draw({ seed })) });
      await executable.run(inputs(4, 192, step));
      return (await executable.read(['loss'])).loss[0]!;
    };
    expect(await losses(1, 1)).toBe(await losses(1, 1));
    expect(await losses(1, 1)).not.toBe(await losses(2, 1));
    expect(await losses(1, 1)).not.toBe(await losses(1, 2));
  });

  it('draws the same for a batch as for its parts, by the index in the global batch', async () => {
    const backend = referenceBackend();
    const model = tinyDiT();
    const weights = await randomWeights(backend, model);
    const whole = inputs(4, 192);
    const loss = async (first: number, batch: number): Promise<number> => {
      const random = randomDraw(draw());
      const executable = await backend.compile(
        lossProgram({ task: velocityTask({ model, draw: random }), batch }),
        weights,
      );
      const x0 = whole.x0!.slice(first * 192, (first + batch) * 192);
      await executable.run({
        x0,
        labels: whole.labels!.slice(first, first + batch),
        step: Int32Array.of(1),
        firstSample: Int32Array.of(first),
      });
      return (await executable.read(['loss'])).loss[0]!;
    };
    expect(await loss(0, 4)).toBeCloseTo((3 * (await loss(0, 3)) + (await loss(3, 1))) / 4, 5);
  });

  it('draws stratified times of the global batch', async () => {
    const times = async (first: number, batch: number): Promise<HostArray> => {
      const stratified = { kind: 'uniform', stratified: true } as const;
      const random = randomDraw(draw({ times: stratified, globalBatch: 6, conditions: [] }));
      const program = trace('draw', (graph) => {
        const x0 = graph.input('x0', [batch, 3]);
        const [step, index] = ['step', 'firstSample'].map((name) => graph.input(name, [], 'int32'));
        return { t: random({ x0, conditions: {}, step: step!, firstSample: () => index! }).t };
      });
      const executable = await referenceBackend().compile(program, new Map());
      await executable.run({
        x0: new Float32Array(batch * 3),
        step: Int32Array.of(1),
        firstSample: Int32Array.of(first),
      });
      return (await executable.read(['t'])).t;
    };
    const whole = await times(0, 6);
    expect([...whole].map((t) => Math.floor(6 * t))).toEqual([0, 1, 2, 3, 4, 5]);
    // What stands before a part is added to its times in float32, once.
    (await times(4, 2)).forEach((t, i) => expect(Math.abs(t - whole[4 + i]!)).toBeLessThanOrEqual(2 ** -23));
    expect(await times(0, 2)).toEqual(whole.slice(0, 2));
  });

  it('moves weights and their averages, and has no state for the positional table', async () => {
    const { executable, buffers } = await newStep();
    const start = await buffers.get('final_layer.linear.weight')!.read();
    await executable.run(inputs(4, 192));
    expect([...buffers.keys()].filter((name) => name.includes('pos_embed'))).toEqual([]);
    const moved = await buffers.get('final_layer.linear.weight')!.read();
    const averages = averagedWeights(tinyDiT(), buffers);
    const average = await averages.get('final_layer.linear.weight')!.read();
    expect(moved).not.toEqual(start);
    average.forEach((value, i) => expect(value).toBeCloseTo(0.75 * start[i]! + 0.25 * moved[i]!, 7));
    expect([...averages.keys()]).toEqual(tinyDiT().parameters.map(({ name }) => name));
  });

  it('clips by the global norm, and reports the norm from before', async () => {
    const momentNorm = async (maxGradNorm: number | undefined): Promise<[number, number]> => {
      const { executable, buffers } = await newStep({ maxGradNorm });
      await executable.run(inputs(4, 192));
      let squares = 0;
      for (const [name, buffer] of buffers) {
        if (!name.startsWith('adamw.m/')) continue;
        for (const value of await buffer.read()) squares += value ** 2;
      }
      return [(await executable.read(['gradNorm'])).gradNorm[0]!, Math.sqrt(squares) / 0.1];
    };
    const [norm, unclipped] = await momentNorm(undefined);
    expect(unclipped / norm).toBeCloseTo(1, 4);
    const [same, clipped] = await momentNorm(0.01);
    expect(same).toBe(norm);
    expect(clipped).toBeCloseTo(0.01, 6);
    expect((await momentNorm(100))[1]).toBeCloseTo(norm, 5);
  });

  it('drops labels with the probability asked for', async () => {
    const backend = referenceBackend();
    const model = tinyDiT({ depth: 1 });
    const weights = await randomWeights(backend, model);
    const gradient = async (labelDropout: number): Promise<boolean[]> => {
      const objective = { task: velocityTask({ model, draw: randomDraw(draw({ labelDropout })) }), batch: 8 };
      const executable = await backend.compile(gradientProgram(objective), weights);
      const { x0, step, firstSample } = inputs(8, 192);
      await executable.run({ x0: x0!, step: step!, firstSample: firstSample!, labels: new Int32Array(8) });
      const table = (await executable.read(['grad/y_embedder.embedding_table.weight']))[
        'grad/y_embedder.embedding_table.weight'
      ];
      return [0, 1, 2, 3].map((row) => table.subarray(row * 16, (row + 1) * 16).some((value) => value !== 0));
    };
    expect(await gradient(0)).toEqual([true, false, false, false]);
    expect(await gradient(0.5)).toEqual([true, false, false, true]);
    expect(await gradient(1)).toEqual([false, false, false, true]);
  });

  it('needs no labels for a model without classes', async () => {
    const { executable } = await newStep({
      model: tinyDiT({ classes: 0 }),
      draw: randomDraw(draw({ conditions: [] })),
    });
    const { labels: _, ...rest } = inputs(4, 192);
    await executable.run(rest);
    expect((await executable.read(['loss'])).loss[0]).toBeGreaterThan(1);
  });
});

describe('weights of samples by their times', () => {
  it('scale gradients, and leave the loss that is told', async () => {
    const backend = referenceBackend({ float: 'float64' });
    const model = tinyDiT({ depth: 1 });
    const weights = await randomWeights(backend, model);
    const measure = async (objective?: Objective): Promise<[loss: number, gradient: HostArray]> => {
      const training = { task: velocityTask({ model, draw: givenDraw, objective }), batch: 2 };
      const executable = await backend.compile(gradientProgram(training), weights);
      await executable.run({
        x0: randomValues(2 * 192, 1),
        x1: randomValues(2 * 192, 2),
        t: Float64Array.of(0.75, 0.75),
        labels: Int32Array.of(1, 3),
        step: Int32Array.of(1),
      });
      const [loss] = (await executable.read(['loss'])).loss;
      return [loss!, (await executable.read(['grad/x_embedder.proj.weight']))['grad/x_embedder.proj.weight']];
    };
    const [loss, gradient] = await measure();
    const [sameLoss, scaled] = await measure(rectifiedFlow({ kind: 'min-snr', gamma: 5 }));
    expect(sameLoss).toBeCloseTo(loss, 12);
    expect(
      relativeError(
        scaled,
        gradient.map((value) => value / 16),
      ),
    ).toBeLessThan(1e-10);
  });
});

describe('gradient of the whole model', () => {
  const backend = referenceBackend({ float: 'float64' });
  const model = tinyDiT();
  const objective = { task: velocityTask({ model, draw: givenDraw }), batch: 2 };
  const batch = {
    x0: randomValues(2 * 192, 1),
    x1: randomValues(2 * 192, 2),
    t: Float64Array.of(0.2, 0.7),
    labels: Int32Array.of(1, 3),
    step: Int32Array.of(1),
  };

  it.each([1, 2, 3, 4])('agrees with finite differences along direction %d', async (direction) => {
    const weights = await randomWeights(backend, model);
    const start = new Map<string, HostArray>();
    for (const [name, buffer] of weights) start.set(name, await buffer.read());
    const trainable = model.parameters;
    const along = new Map(
      trainable.map(({ name }, i) => [name, randomValues(start.get(name)!.length, 100 * direction + i)]),
    );

    const gradients = await backend.compile(gradientProgram(objective), weights);
    await gradients.run(batch);
    let slope = 0;
    const made = await outputsOf(gradients);
    for (const [name, d] of along) made.get(`grad/${name}`)!.forEach((g, i) => (slope += g * d[i]!));

    const loss = await backend.compile(lossProgram(objective), weights);
    const lossAt = async (distance: number): Promise<number> => {
      for (const [name, d] of along) {
        await weights.get(name)!.write(start.get(name)!.map((value, i) => value + distance * d[i]!));
      }
      await loss.run(batch);
      return (await loss.read(['loss'])).loss[0]!;
    };
    const h = 1e-6;
    const difference = ((await lossAt(h)) - (await lossAt(-h))) / (2 * h);
    expect(Math.abs(difference / slope - 1)).toBeLessThan(1e-6);
  });
});
