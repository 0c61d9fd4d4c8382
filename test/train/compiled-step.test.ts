import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Backend, Buffer, Buffers } from '../../src/backends/backend.ts';
import { cpuBackend } from '../../src/backends/cpu/index.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { Objective } from '../../src/flow/objective.ts';
import { rectifiedFlow } from '../../src/flow/rectified-flow.ts';
import { labelCondition } from '../../src/models/model.ts';
import { adamwDefaults, adamwGroups } from '../../src/optim/adamw.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { type CompiledTraining, compileStep } from '../../src/train/compiled-step.ts';
import { randomDraw } from '../../src/train/draw.ts';
import { StepPrograms } from '../../src/train/step-programs.ts';
import { velocityTask } from '../../src/train/velocity-task.ts';
import { initializeState } from '../../src/train/state.ts';
import type { TrainingStep } from '../../src/train/step.ts';
import { relativeError } from '../support/conformance.ts';
import { tinyDiT } from '../support/models.ts';
import { randomValues } from '../support/random.ts';

const model = tinyDiT({ depth: 1 });
const elements = 192;

function training(batch: number, changes: Partial<TrainingStep> = {}, objective?: Objective): TrainingStep {
  const times = { kind: 'logit-normal', mean: 0, std: 1, stratified: true } as const;
  const conditions = labelCondition(3);
  const draw = randomDraw({ seed: 3, times, labelDropout: 0.3, conditions, globalBatch: batch });
  return {
    task: velocityTask({ model, draw, objective }),
    batch,
    optimizers: adamwGroups(adamwDefaults),
    maxGradNorm: 0.5,
    ...changes,
  };
}

function inputs(batch: number, step: number): Record<string, HostArray> {
  return {
    x0: Float32Array.from(randomValues(batch * elements, step)),
    labels: Int32Array.from({ length: batch }, (_, i) => i % 3),
    step: Int32Array.of(step),
    firstSample: Int32Array.of(0),
    update: Int32Array.of(step),
    learningRate: Float32Array.of(1e-3),
    emaWeight: Float32Array.of(0.25),
  };
}

async function compiled(backend: Backend, step: TrainingStep, microBatch: number): Promise<CompiledTraining> {
  const fill = (buffers: Buffers): Promise<void> => initializeState(backend, model, buffers, 1);
  return compileStep(backend, new StepPrograms(step), { microBatch, fill });
}

async function contents(buffers: ReadonlyMap<string, Buffer>): Promise<Map<string, HostArray>> {
  const copies = new Map<string, HostArray>();
  for (const [name, buffer] of buffers) if (!name.startsWith('total/')) copies.set(name, await buffer.read());
  return copies;
}

describe('accumulated gradients', () => {
  it('are those of the large batch, however it is divided', async () => {
    const backend = referenceBackend({ float: 'float64' });
    const sizes = fc
      .integer({ min: 1, max: 7 })
      .chain((batch) => fc.tuple(fc.constant(batch), fc.integer({ min: 1, max: batch })));
    const weighting = fc.constantFrom(undefined, { kind: 'min-snr', gamma: 5 } as const);
    await fc.assert(
      fc.asyncProperty(sizes, weighting, async ([batch, microBatch], weights) => {
        const step = training(batch, {}, rectifiedFlow(weights));
        const [whole, parts] = [
          await compiled(backend, step, batch),
          await compiled(backend, step, microBatch),
        ];
        for (const number of [1, 2]) {
          for (const made of [whole, parts]) await made.step.run(inputs(batch, number));
          const names = ['loss', 'gradNorm', 'counts', 'losses', 'times', 'gradNorms'] as const;
          const [wanted, got] = [await whole.step.read(names), await parts.step.read(names)];
          for (const name of names) expect(relativeError(got[name], wanted[name])).toBeLessThan(1e-6);
        }
        const wanted = await contents(whole.buffers);
        for (const [name, values] of await contents(parts.buffers))
          expect(relativeError(values, wanted.get(name)!)).toBeLessThan(1e-6);
      }),
      { numRuns: 12 },
    );
  });

  it('are those of the large batch within the rounding of float32 on the CPU', async () => {
    const backend = cpuBackend({ threads: 2 });
    const step = training(10);
    const [whole, parts] = [await compiled(backend, step, 10), await compiled(backend, step, 4)];
    for (const made of [whole, parts]) await made.step.run(inputs(10, 1));
    const wanted = await contents(whole.buffers);
    for (const [name, values] of await contents(parts.buffers))
      expect(relativeError(values, wanted.get(name)!)).toBeLessThan(name.startsWith('adamw.v') ? 2e-4 : 1e-4);
  });
});

describe.each([4, 3])('a step of 4 samples, %i at a time, that is not finite', (microBatch) => {
  it.each([
    ['data', (given: Record<string, HostArray>) => given['x0']!.set([NaN], 100)],
    ['data that overflow', (given: Record<string, HostArray>) => given['x0']!.fill(1e30)],
  ])('by its %s leaves all state as it was, and the next one counts again', async (_, spoil) => {
    const backend = cpuBackend({ threads: 1 });
    const [spoilt, clean] = [
      await compiled(backend, training(4), microBatch),
      await compiled(backend, training(4), microBatch),
    ];
    for (const made of [spoilt, clean]) await made.step.run(inputs(4, 1));
    const before = await contents(spoilt.buffers);
    const bad = inputs(4, 2);
    spoil(bad);
    await spoilt.step.run(bad);
    expect((await spoilt.step.read(['counts'])).counts[0]).toBe(0);
    expect(await contents(spoilt.buffers)).toEqual(before);
    for (const made of [spoilt, clean]) await made.step.run({ ...inputs(4, 3), update: Int32Array.of(2) });
    expect((await spoilt.step.read(['counts'])).counts[0]).toBe(1);
    expect(await contents(spoilt.buffers)).toEqual(await contents(clean.buffers));
  });
});

it.each([
  ['nothing', undefined],
  ['a step', 0.5],
])('gradients whose norm is finite, but not its square, are %s with a clip of %o', async (what, clip) => {
  const step = training(4, { maxGradNorm: clip });
  const made = await compiled(cpuBackend({ threads: 1 }), step, 4);
  const weight = made.buffers.get('final_layer.linear.weight')!;
  await weight.write((await weight.read()).map((_, i) => (i % 7) * 1e13));
  const before = await contents(made.buffers);
  await made.step.run(inputs(4, 1));
  const [loss] = (await made.step.read(['loss'])).loss;
  const [norm] = (await made.step.read(['gradNorm'])).gradNorm;
  expect(loss).toBeLessThan(Infinity);
  expect(norm).toBeLessThan(Infinity);
  expect(Math.fround(norm! ** 2)).toBe(Infinity);
  const after = await contents(made.buffers);
  expect([...after.values()].every((values) => values.every(Number.isFinite))).toBe(true);
  expect(isDeepStrictEqual(after, before)).toBe(what === 'nothing');
});

describe('a scaled loss', () => {
  it.each([4, 3])('gives the same step, %i samples at a time', async (microBatch) => {
    const backend = referenceBackend({ float: 'float64' });
    const plain = await compiled(backend, training(4), 4);
    const scaled = await compiled(backend, training(4, { lossScaling: true }), microBatch);
    await plain.step.run(inputs(4, 1));
    await scaled.step.run({ ...inputs(4, 1), lossScale: Float32Array.of(65536) });
    expect(
      relativeError(
        (await scaled.step.read(['gradNorm'])).gradNorm,
        (await plain.step.read(['gradNorm'])).gradNorm,
      ),
    ).toBeLessThan(1e-6);
    const wanted = await contents(plain.buffers);
    for (const [name, values] of await contents(scaled.buffers))
      expect(relativeError(values, wanted.get(name)!)).toBeLessThan(1e-6);
  });
});
