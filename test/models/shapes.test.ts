// Models of images take the size of their images from the batch: what they are made for is a default, and nothing in them.
import { describe, expect, it } from 'vitest';
import type { Backend, Buffers } from '../../src/backends/backend.ts';
import { FlowSampler } from '../../src/flow/sample.ts';
import { ExpressionDiT } from '../../src/models/expression-dit.ts';
import { type VelocityModel, checkShape, costOf, labelCondition } from '../../src/models/model.ts';
import { adamwDefaults, adamwGroups } from '../../src/optim/adamw.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { type CompiledTraining, compileStep } from '../../src/train/compiled-step.ts';
import { randomDraw } from '../../src/train/draw.ts';
import { estimateMemory } from '../../src/train/memory-estimate.ts';
import { initializeState } from '../../src/train/state.ts';
import { StepPrograms } from '../../src/train/step-programs.ts';
import { velocityTask } from '../../src/train/velocity-task.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { Shape } from '../../src/tensor/shape.ts';
import type { StoredTensor } from '../../src/tensor/stored-tensor.ts';
import { loadWeights } from '../../src/train/restore.ts';
import { storedWeights } from '../support/stored-weights.ts';
import { float32Backends } from '../support/backends.ts';
import { randomWeights, tinyDiT, tinyTextDiT } from '../support/models.ts';
import { randomValues } from '../support/random.ts';

const other = [2, 16, 4] as const;
const imageSize = [16, 4] as const;

const pairs: readonly [string, VelocityModel, VelocityModel][] = [
  ['DiT', tinyDiT(), tinyDiT({ imageSize })],
  ['TextDiT', tinyTextDiT(), tinyTextDiT({ imageSize })],
];

describe.each(pairs)('%s at another image size', (_, model, madeForIt) => {
  for (const { label, create, skip } of float32Backends())
    it.skipIf(skip !== undefined)(
      `samples as the model that is made for it on ${label}${skip ? ` (skipped: ${skip})` : ''}`,
      async () => {
        const backend = create();
        const weights = await randomWeights(backend, model);
        const sampler = new FlowSampler(backend, model, weights);
        const asked = { count: 3, steps: 2, seed: 4 };
        const own = await sampler.sample(asked);
        const found = await sampler.sample({ ...asked, shape: other });
        expect(found).toEqual(await new FlowSampler(backend, madeForIt, weights).sample(asked));
        expect(found).toHaveLength(3 * 2 * 16 * 4);
        // Those of the size before are still there.
        expect(await sampler.sample(asked)).toEqual(own);
      },
    );

  it('costs what that one costs, and takes as much memory', () => {
    expect(costOf(model, other)).toEqual(costOf(madeForIt));
    expect(costOf(model)).not.toEqual(costOf(madeForIt));
    const config = resolveConfig({
      data: { source: 'custom' },
      model: { kind: 'custom', classes: 3 },
      train: { batchSize: 4 },
    });
    const common = { config, backend: referenceBackend(), microBatch: 4, held: 0 };
    const source = { count: 8, record: { kind: 'latents', scale: 1, shift: 0 } } as const;
    const estimate = (of: VelocityModel, sampleShape?: Shape): number =>
      estimateMemory({ ...common, source, model: of, sampleShape }).total;
    expect(estimate(model, other)).toBe(estimate(madeForIt));
    expect(estimate(model)).not.toBe(estimate(madeForIt));
  });

  it('refuses what its patches do not divide, and what has other channels', () => {
    expect(() => checkShape(model, [2, 8, 16], 'sample')).not.toThrow();
    expect(() => checkShape(model, [2, 8, 10], 'sample')).toThrow(
      /the image size must be a multiple of the patch size 4 on both sides, got 8 x 10/,
    );
    expect(() => checkShape(model, [3, 8, 16], 'sample')).toThrow(
      /shape of a sample must be \[2, height, width\], got \[3, 8, 16\]/,
    );
    expect(() => checkShape(model, [96], 'sample')).toThrow(/must be \[2, height, width\], got \[96\]/);
  });
});

it('a model of genes, or one of a program that says no more, takes its own samples alone', async () => {
  const cells = new ExpressionDiT({ width: 16, depth: 1, heads: 2, groupSize: 3, genes: 7, classes: 0 });
  expect(() => checkShape(cells, [7], 'sample')).not.toThrow();
  const backend = referenceBackend();
  const sampler = new FlowSampler(backend, cells, await randomWeights(backend, cells));
  await expect(sampler.sample({ count: 1, steps: 1, seed: 1, shape: [9] })).rejects.toThrow(
    'sample: shape must be [7]: this model takes samples of no other, got [9]',
  );
  expect(costOf({ ...cells, cost: { forward: 1, training: 3 } }, [9])).toEqual({
    forward: 1,
    training: 3,
  });
});

describe('weights from a file', () => {
  const model = tinyDiT();
  const load = async (change: (weights: Map<string, StoredTensor>) => void): Promise<Buffers> => {
    const weights = storedWeights(model);
    change(weights);
    return loadWeights(referenceBackend(), model, weights, 'a.safetensors');
  };

  it('may lack the positional table, or have that of another image size', async () => {
    const names = model.parameters.map(({ name }) => name);
    expect([...(await load((weights) => weights.delete('pos_embed'))).keys()]).toEqual(names);
    const [elsewhere] = tinyDiT({ imageSize }).tables;
    const { shape } = elsewhere!;
    const stored: StoredTensor = { dtype: 'F32', shape, data: elsewhere!.values() };
    expect([...(await load((weights) => weights.set('pos_embed', stored))).keys()]).toEqual(names);
  });

  it('with another table than the model computes are refused', async () => {
    await expect(
      load((weights) => void ((weights.get('pos_embed')!.data as Float32Array)[7]! += 0.01)),
    ).rejects.toThrow(/^a\.safetensors: pos_embed \[1, 6, 16\] is another table/);
  });
});

describe('a training step at another image size', () => {
  const batch = 4;
  const programs = (model: VelocityModel): StepPrograms => {
    const times = { kind: 'uniform', stratified: false } as const;
    const conditions = labelCondition(3);
    const draw = randomDraw({ seed: 3, times, labelDropout: 0.3, conditions, globalBatch: batch });
    const task = velocityTask({ model, draw });
    return new StepPrograms({ task, batch, optimizers: adamwGroups(adamwDefaults), maxGradNorm: 0.5 });
  };
  const compiled = (
    backend: Backend,
    model: VelocityModel,
    microBatch: number,
  ): Promise<CompiledTraining> => {
    const fill = (buffers: Buffers): Promise<void> => initializeState(backend, model, buffers, 1);
    return compileStep(backend, programs(model), { microBatch, fill });
  };
  const inputs = (step: number, elements: number): Record<string, HostArray> => ({
    x0: Float32Array.from(randomValues(batch * elements, step)),
    labels: Int32Array.from({ length: batch }, (_, i) => i % 3),
    step: Int32Array.of(step),
    firstSample: Int32Array.of(0),
    update: Int32Array.of(step),
    learningRate: Float32Array.of(1e-3),
    emaWeight: Float32Array.of(0.25),
  });

  it.each([4, 3])('%i samples at a time, is that of the model that is made for it', async (microBatch) => {
    const backend = referenceBackend();
    const [model, madeForIt] = [tinyDiT({ depth: 1 }), tinyDiT({ depth: 1, imageSize })];
    const found = await compiled(backend, model, microBatch);
    const wanted = await compiled(backend, madeForIt, microBatch);
    for (const step of [1, 2]) {
      await found.step.run(inputs(step, 128), other);
      await wanted.step.run(inputs(step, 128));
      expect((await found.step.read(['loss'])).loss).toEqual((await wanted.step.read(['loss'])).loss);
    }
    for (const { name } of model.parameters)
      expect(await found.buffers.get(name)!.read()).toEqual(await wanted.buffers.get(name)!.read());
    // Steps of both sizes share one state.
    await found.step.run(inputs(3, 192));
    expect((await found.step.read(['counts'])).counts[0]).toBe(1);
  });
});
