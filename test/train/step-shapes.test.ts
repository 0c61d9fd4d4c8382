import { describe, expect, it } from 'vitest';
import type { Backend, Buffers } from '../../src/backends/backend.ts';
import { cpuBackend } from '../../src/backends/cpu/index.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import type { SampleSizes } from '../../src/data/sample-sizes.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { type Shape, sizeOf } from '../../src/tensor/shape.ts';
import { type CompiledTraining, compileStep } from '../../src/train/compiled-step.ts';
import { estimateMemory } from '../../src/train/memory-estimate.ts';
import { planTraining } from '../../src/train/plan-training.ts';
import { initializeState } from '../../src/train/state.ts';
import {
  batchSizeOf,
  sharesOfSteps,
  stepPrograms,
  stepShapes,
  stepsOfEpochs,
} from '../../src/train/step-shapes.ts';
import { tinyDiT } from '../support/models.ts';
import { randomValues } from '../support/random.ts';

const model = tinyDiT({ depth: 1 });
const [channels] = model.sampleShape;
const small: Shape = [channels, 4, 8];
const sizes: SampleSizes = { shapes: [small, model.sampleShape] };

function configOf(train: object): ReturnType<typeof resolveConfig> {
  return resolveConfig({
    data: { source: 'custom' },
    model: { kind: 'custom', classes: 3 },
    flow: { labelDropout: 0.3, timeSampling: { kind: 'uniform', stratified: true } },
    train: { batchSize: 4, ...train },
    seed: 3,
  });
}

function compiled(backend: Backend, train: object, of = model, shapes = sizes): Promise<CompiledTraining> {
  const programs = stepPrograms(configOf(train), of, shapes);
  const { microBatch = 4 } = train as { readonly microBatch?: number };
  const fill = (buffers: Buffers): Promise<void> => initializeState(backend, of, buffers, 1);
  return compileStep(backend, programs, { microBatch, fill });
}

function inputs(step: number, batch: number, shape: Shape): Record<string, HostArray> {
  return {
    x0: Float32Array.from(randomValues(batch * sizeOf(shape), step)),
    labels: Int32Array.from({ length: batch }, (_, i) => i % 3),
    step: Int32Array.of(step),
    firstSample: Int32Array.of(0),
    update: Int32Array.of(step),
    learningRate: Float32Array.of(1e-3),
    emaWeight: Float32Array.of(0.25),
  };
}

describe('samples of a step', () => {
  it('are as many of every shape, or as many as have about the tokens of a batch of the own shape', () => {
    const base: Shape = [3, 64, 64];
    const of = (size: number, batchBy?: 'samples' | 'tokens'): number =>
      batchSizeOf([3, size, size], base, { batchSize: 10, batchBy });
    expect([32, 48, 64].map((size) => of(size))).toEqual([10, 10, 10]);
    expect([32, 48, 64, 512].map((size) => of(size, 'tokens'))).toEqual([40, 18, 10, 1]);
    expect(stepShapes({ sampleShape: base }, { shapes: [[3, 32, 64], base] }, { batchSize: 3 })).toEqual([
      { sampleShape: base, batchSize: 3 },
      { sampleShape: [3, 32, 64], batchSize: 3 },
    ]);
  });
});

describe('the share of steps', () => {
  const shapes: readonly Shape[] = [
    [1, 4, 4],
    [1, 2, 4],
  ];
  const facts = { shape: shapes[0]!, count: 12 };

  it('is the same of sizes that are drawn, and of buckets that of their batches', () => {
    const shares = (of?: (index: number) => number, batchBy: 'samples' | 'tokens' = 'samples'): number[] =>
      sharesOfSteps({ ...facts, sizes: { shapes, ...(of && { of }) } }, { batchSize: 3, batchBy }).map(
        ({ share }) => share,
      );
    expect(shares()).toEqual([0.5, 0.5]);
    // Of 7 and 5 samples: 3 and 2 batches of 3; or of the 5 smaller ones a batch of 6.
    const of = (index: number): number => (index < 7 ? 0 : 1);
    expect(shares(of)).toEqual([0.6, 0.4]);
    expect(shares(of, 'tokens')).toEqual([0.75, 0.25]);
    expect(sharesOfSteps(facts, { batchSize: 3 })).toEqual([{ sampleShape: shapes[0], share: 1 }]);
  });
});

describe('the steps of epochs', () => {
  const facts = { shape: [1, 4, 4], count: 12 } as const;
  const shapes: readonly Shape[] = [facts.shape, [1, 2, 4]];
  const of = (index: number): number => (index < 7 ? 0 : 1);

  it('are those of the samples that are trained on', () => {
    const steps = (heldOut: number, isBucketed: boolean): number => {
      const source = { ...facts, sizes: { shapes, ...(isBucketed && { of }) } };
      return stepsOfEpochs(2, source, heldOut, { batchSize: 3, batchBy: 'tokens' });
    };
    // Batches of 3 and 6, each as likely: 24 samples, or 18, in batches of 4.5.
    expect([steps(0, false), steps(3, false)]).toEqual([6, 4]);
    // Three batches of 3 and one of 6 in an epoch.
    expect([steps(0, true), steps(3, true)]).toEqual([8, 6]);
  });
});

describe.each([
  ['whole', 4],
  ['in parts', 3],
])('a step of another shape and batch, %s', (_, microBatch) => {
  it('is that of a model that is made for it, over the same state', async () => {
    const backend = referenceBackend();
    const madeForIt = tinyDiT({ depth: 1, imageSize: [4, 8] });
    const batch = batchSizeOf(small, model.sampleShape, { batchSize: 4, batchBy: 'tokens' });
    expect(batch).toBe(12);
    const found = await compiled(backend, { batchBy: 'tokens', microBatch });
    const alone = await compiled(
      backend,
      { batchSize: batch, microBatch: Math.ceil(batch / Math.ceil(4 / microBatch)) },
      madeForIt,
      { shapes: [small] },
    );
    const outputs = ['loss', 'gradNorm', 'losses', 'times', 'gradNorms'] as const;
    for (const step of [1, 2]) {
      await found.step.run(inputs(step, batch, small), small);
      await alone.step.run(inputs(step, batch, small));
      expect(await found.step.read(outputs)).toEqual(await alone.step.read(outputs));
    }
    for (const { name } of model.parameters)
      expect(await found.buffers.get(name)!.read()).toEqual(await alone.buffers.get(name)!.read());
    await found.step.run(inputs(3, 4, model.sampleShape), model.sampleShape);
    expect((await found.step.read(['losses'])).losses).toHaveLength(4);
  });

  it('has its programs before the first step', async () => {
    const backend = referenceBackend();
    let compilations = 0;
    const counting: Backend = {
      ...backend,
      compile: (program, state) => (compilations++, backend.compile(program, state)),
    };
    const { step } = await compiled(counting, { microBatch });
    const before = compilations;
    expect(before).toBe(microBatch === 4 ? 3 : 5);
    await step.run(inputs(1, 4, small), small);
    await step.run(inputs(2, 4, model.sampleShape));
    expect(compilations).toBe(before);
  });
});

describe('memory', () => {
  const backend = cpuBackend({ threads: 1 });
  const source = { count: 8, record: { kind: 'latents', scale: 1, shift: 0 }, sizes } as const;
  const large: Shape = [channels, 16, 16];

  it('is planned for the largest shape', () => {
    const config = configOf({});
    const estimate = (shapes: readonly Shape[]): ReturnType<typeof estimateMemory> =>
      estimateMemory({
        config,
        backend,
        model,
        microBatch: 4,
        source: { ...source, sizes: { shapes } },
      });
    const [own, withLarge, withBoth] = [
      estimate([model.sampleShape]),
      estimate([model.sampleShape, large]),
      estimate([small, model.sampleShape, large]),
    ];
    expect(withLarge.activations).toBeGreaterThan(1.5 * own.activations);
    expect(withBoth.activations).toBe(withLarge.activations);
    expect(withBoth.state).toBe(own.state);
    expect(withLarge.data).toBeGreaterThan(own.data);
  });

  it('divides a step so that the largest shape fits', () => {
    const plan = (shapes: readonly Shape[], available: number): number => {
      const memory = { used: () => 0, mostUsed: () => 0, available: () => available, installed: () => 1e12 };
      const config = configOf({ batchSize: 64, microBatch: 'auto' });
      return planTraining({ config, backend, model, source: { ...source, sizes: { shapes } } }, memory)
        .microBatch;
    };
    const config = configOf({ batchSize: 64 });
    const { total } = estimateMemory({ config, backend, model, microBatch: 64, source });
    expect(plan([model.sampleShape], total / 0.9)).toBe(64);
    expect(plan([model.sampleShape, large], total / 0.9)).toBeLessThan(64);
  });
});
