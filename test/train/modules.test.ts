// A step learns a task of a module, whatever that is for: here of an autoencoder and of a classifier, which know no velocity.
import { describe, expect, it } from 'vitest';
import type { Backend, Buffers } from '../../src/backends/backend.ts';
import { linearLayer, linearParameters } from '../../src/nn/layers.ts';
import type { Module } from '../../src/nn/module.ts';
import type { Parameters } from '../../src/nn/parameters.ts';
import {
  constant,
  log,
  maximum,
  mean,
  mul,
  neg,
  silu,
  softmax,
  square,
  sub,
  sum,
} from '../../src/ops/index.ts';
import { adamwDefaults, adamwGroups } from '../../src/optim/adamw.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { sizeOf } from '../../src/tensor/shape.ts';
import type { Tensor } from '../../src/tensor/tensor.ts';
import { type CompiledTraining, compileStep } from '../../src/train/compiled-step.ts';
import { initializeState } from '../../src/train/state.ts';
import { StepPrograms } from '../../src/train/step-programs.ts';
import type { LossBatch, Task } from '../../src/train/task.ts';
import { float32Backends } from '../support/backends.ts';
import { relativeError } from '../support/conformance.ts';
import { randomValues } from '../support/random.ts';

const [features, latents, hidden, classes, batch] = [12, 4, 16, 3, 6];

/** Losses of samples, [B], and their mean, weighted where they are a part of a step. */
function lossOf(losses: Tensor, { sampleWeights }: LossBatch): ReturnType<Task['loss']> {
  const loss = sampleWeights ? sum(mul(losses, sampleWeights)) : mean(losses);
  return { loss, minimised: loss, ofSamples: { losses } };
}

/** x [B, G] -> [B, L], and back. */
const autoencoder = {
  parameters: [
    ...linearParameters('encoder', latents, features),
    ...linearParameters('decoder', features, latents),
  ],
  encode: (params: Parameters, x: Tensor): Tensor => linearLayer(params, 'encoder', x),
  decode: (params: Parameters, z: Tensor): Tensor => linearLayer(params, 'decoder', z),
} satisfies Module & Record<string, unknown>;

const reconstruction: Task = {
  module: autoencoder,
  sampleShape: [features],
  inputs: (shape) => [{ name: 'x', shape, dtype: 'float32' }],
  loss(_graph, params, given) {
    const x = given.inputs['x']!;
    const decoded = autoencoder.decode(params, autoencoder.encode(params, x));
    return lossOf(mean(square(sub(decoded, x)), [1]), given);
  },
};

/** x [B, G] -> what each class is given, [B, K] */
const classifier = {
  parameters: [
    ...linearParameters('hidden', hidden, features),
    ...linearParameters('classes', classes, hidden),
  ],
  logits: (params: Parameters, x: Tensor): Tensor =>
    linearLayer(params, 'classes', silu(linearLayer(params, 'hidden', x))),
} satisfies Module & Record<string, unknown>;

/** Cross-entropy with the classes, given as [B, K] of zeros and a one. */
const classification: Task = {
  module: classifier,
  sampleShape: [features],
  inputs: (shape) => [
    { name: 'x', shape, dtype: 'float32' },
    { name: 'isClass', shape: [classes], dtype: 'float32' },
  ],
  loss(_graph, params, given) {
    const { x, isClass } = given.inputs as { x: Tensor; isClass: Tensor };
    const probabilities = softmax(classifier.logits(params, x)); // -> [B, K]
    const least = constant(x, [], Float64Array.of(1e-12));
    return lossOf(neg(sum(mul(isClass, log(maximum(probabilities, least))), [1])), given);
  },
};

/** Samples of each class lie around a point of its own. */
function inputs(step: number): Record<string, HostArray> {
  const label = (sample: number): number => sample % classes;
  const centres = randomValues(classes * features, 77);
  const noise = randomValues(batch * features, step);
  return {
    x: Float32Array.from(noise, (value, i) => {
      const sample = Math.floor(i / features);
      return 0.1 * value + centres[label(sample) * features + (i % features)]!;
    }),
    isClass: Float32Array.from({ length: batch * classes }, (_, i) =>
      i % classes === label(Math.floor(i / classes)) ? 1 : 0,
    ),
    step: Int32Array.of(step),
    update: Int32Array.of(step),
    learningRate: Float32Array.of(2e-2),
    emaWeight: Float32Array.of(0.1),
  };
}

function compiled(backend: Backend, task: Task, microBatch: number): Promise<CompiledTraining> {
  const programs = new StepPrograms({ task, batch, optimizers: adamwGroups(adamwDefaults), maxGradNorm: 1 });
  const fill = (buffers: Buffers): Promise<void> => initializeState(backend, task.module, buffers, 1);
  return compileStep(backend, programs, { microBatch, fill });
}

async function lossesOf({ step }: CompiledTraining, steps: number): Promise<number[]> {
  const losses: number[] = [];
  for (let i = 1; i <= steps; i++) {
    await step.run(inputs(i));
    losses.push((await step.read(['loss'])).loss[0]!);
  }
  return losses;
}

describe.each([
  ['an autoencoder', reconstruction],
  ['a classifier', classification],
])('%s', (_, task) => {
  for (const { label, create, skip } of float32Backends())
    it.skipIf(skip !== undefined)(`learns on ${label}${skip ? ` (skipped: ${skip})` : ''}`, async () => {
      const backend = create();
      const made = await compiled(backend, task, batch);
      const losses = await lossesOf(made, 60);
      expect(losses.at(-1)).toBeLessThan(0.2 * losses[0]!);
      const { parameters } = task.module;
      expect([...made.buffers.keys()].filter((name) => !name.includes('/'))).toEqual(
        parameters.map(({ name }) => name),
      );
      const elements = parameters.reduce((total, { shape }) => total + sizeOf(shape), 0);
      expect(elements).toBeGreaterThan(0);
    });

  it('learns the same in micro-batches', async () => {
    const { create } = float32Backends()[0]!;
    const [whole, parts] = [await compiled(create(), task, batch), await compiled(create(), task, 4)];
    const [wanted, found] = [await lossesOf(whole, 5), await lossesOf(parts, 5)];
    expect(relativeError(found, wanted)).toBeLessThan(1e-5);
    const told = [await whole.step.read(['losses']), await parts.step.read(['losses'])] as const;
    expect(relativeError(told[1].losses, told[0].losses)).toBeLessThan(1e-4);
  });
});
