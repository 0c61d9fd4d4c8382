// A step whose samples are shared by several ranks, as one process does them all.
import { describe, expect, it } from 'vitest';
import type { Backend, Buffers } from '../../src/backends/backend.ts';
import { labelCondition } from '../../src/models/model.ts';
import { adamwDefaults, adamwGroups } from '../../src/optim/adamw.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import type { Communicator } from '../../src/train/ranks/communicator.ts';
import { type CompiledTraining, compileStep } from '../../src/train/compiled-step.ts';
import { randomDraw } from '../../src/train/draw.ts';
import type { Ownership } from '../../src/train/ranks/ownership.ts';
import { initializeState } from '../../src/train/state.ts';
import { isTotal } from '../../src/train/step.ts';
import { StepPrograms } from '../../src/train/step-programs.ts';
import { velocityTask } from '../../src/train/velocity-task.ts';
import { float32Backends } from '../support/backends.ts';
import { tinyDiT } from '../support/models.ts';
import { randomValues } from '../support/random.ts';
import { ranksOfProcess } from '../support/ranks.ts';

const model = tinyDiT({ depth: 1 });
const elements = 192;
const globalBatch = 8;
const shards = 4;

const draw = randomDraw({
  seed: 3,
  times: { kind: 'logit-normal', mean: 0, std: 1, stratified: true },
  labelDropout: 0.3,
  conditions: labelCondition(3),
  globalBatch,
});

function ownership({ rank, ranks }: Pick<Communicator, 'rank' | 'ranks'> = { rank: 0, ranks: 1 }): Ownership {
  const count = shards / ranks;
  return { slices: shards, first: rank * count, count };
}

/** Of one of the ranks, or of whoever does all of it. */
function programs(communicator?: Communicator): StepPrograms {
  const task = velocityTask({ model, draw });
  const { ranks } = communicator ?? { ranks: 1 };
  return new StepPrograms({
    task,
    batch: globalBatch / ranks,
    shards: shards / ranks,
    globalBatch,
    own: ownership(communicator),
    optimizers: adamwGroups({ ...adamwDefaults, weightDecay: 0.01 }),
    averages: ['0.5'],
    maxGradNorm: 0.5,
  });
}

/** Of the samples from `first` on. */
function inputs(step: number, first: number, count: number): Record<string, HostArray> {
  const x0 = Float32Array.from(randomValues(globalBatch * elements, step));
  const labels = Int32Array.from({ length: globalBatch }, (_, i) => i % 3);
  return {
    x0: x0.slice(first * elements, (first + count) * elements),
    labels: labels.slice(first, first + count),
    step: Int32Array.of(step),
    firstSample: Int32Array.of(first),
    update: Int32Array.of(step),
    learningRate: Float32Array.of(1e-3),
    emaWeight: Float32Array.of(0.25),
    'emaWeight/0.5': Float32Array.of(0.5),
  };
}

function compiled(
  backend: Backend,
  microBatch: number,
  communicator?: Communicator,
): Promise<CompiledTraining> {
  const own = ownership(communicator);
  const fill = (buffers: Buffers): Promise<void> => initializeState(backend, model, buffers, 1, own);
  return compileStep(backend, programs(communicator), { microBatch, fill, communicator });
}

const told = ['loss', 'gradNorm', 'gradNorms', 'losses', 'times'] as const;

describe.each(float32Backends())('on $label', ({ create, skip }) => {
  it.skipIf(skip).each([
    [2, 2],
    [4, 2],
    [2, 1],
    [4, 1],
  ])(
    '%i ranks that share the shards, in micro-batches of %i, make the weights of one, to the bit',
    async (ranks, microBatch) => {
      const backend = create();
      const alone = await compiled(backend, microBatch);
      const communicators = ranksOfProcess(ranks);
      const all = await Promise.all(
        communicators.map((communicator) => compiled(backend, microBatch, communicator)),
      );
      const batch = globalBatch / ranks;
      for (const step of [1, 2, 3]) {
        await alone.step.run(inputs(step, 0, globalBatch));
        await Promise.all(all.map((each, rank) => each.step.run(inputs(step, batch * rank, batch))));
      }
      const [whole, ...shares] = await Promise.all([alone, ...all].map(({ step }) => step.read(told)));
      for (const share of shares)
        for (const name of ['loss', 'gradNorm', 'gradNorms'] as const)
          expect(share[name]).toEqual(whole![name]);
      // Each draws what its samples have in the whole step.
      for (const name of ['losses', 'times'] as const)
        expect(shares.flatMap((share) => [...share[name]])).toEqual([...whole![name]]);
      for (const [name, buffer] of alone.buffers) {
        if (isTotal(name)) continue;
        const wanted = await buffer.read();
        const found = await Promise.all(
          all.map(async ({ buffers }) => [...((await buffers.get(name)?.read()) ?? [])]),
        );
        // Weights are everybody's; of moments and averages, each keeps what it owns.
        if (model.parameters.some((spec) => spec.name === name))
          for (const each of found) expect(each).toEqual([...wanted]);
        else expect(found.flat()).toEqual([...wanted]);
      }
    },
  );

  it.skipIf(skip)('a step whose loss is not finite on one rank changes nothing on any', async () => {
    const backend = create();
    const all = await Promise.all(
      ranksOfProcess(2).map((communicator) => compiled(backend, 2, communicator)),
    );
    const before = await Promise.all(all.map(({ buffers }) => weightsOf(buffers)));
    const batch = globalBatch / 2;
    await Promise.all(
      all.map(({ step }, rank) => {
        const given = inputs(1, batch * rank, batch);
        if (rank === 1) given['x0']![5] = NaN;
        return step.run(given);
      }),
    );
    for (const { step } of all) expect([...(await step.read(['counts'])).counts]).toEqual([0]);
    expect(await Promise.all(all.map(({ buffers }) => weightsOf(buffers)))).toEqual(before);
  });
});

async function weightsOf(buffers: Buffers): Promise<HostArray[]> {
  return Promise.all(model.parameters.map(({ name }) => buffers.get(name)!.read()));
}
