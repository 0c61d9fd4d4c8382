// How a step is divided where the machines of ranks have different memory.
import { expect, it } from 'vitest';
import { RectiflowError } from '../../src/tensor/errors.ts';
import { type AgreedPlan, agreePlan } from '../../src/train/ranks/agree-plan.ts';
import type { TrainingPlan } from '../../src/train/plan-training.ts';
import { ranksOfProcess } from '../support/ranks.ts';

const GiB = 2 ** 30;

/** Of a training that takes 2 GiB. */
function planOf(changes: Partial<TrainingPlan> = {}): TrainingPlan {
  const parts = { process: 0, state: 2 * GiB, activations: 0, scratch: 0, snapshot: 0, data: 0 };
  return {
    estimate: { ...parts, total: 2 * GiB, checkpoint: GiB },
    available: 8 * GiB,
    batchSize: 8,
    microBatch: 4,
    savesBeside: true,
    ...changes,
  };
}

function agree(hosts: readonly string[], makes: readonly (() => TrainingPlan)[]): Promise<AgreedPlan>[] {
  return ranksOfProcess(hosts.length, hosts).map((communicator, rank) =>
    agreePlan(communicator, makes[rank]!),
  );
}

it('all take the smallest micro-batch, and no copy where one has no room for it', async () => {
  const makes = [
    () => planOf(),
    () => planOf({ microBatch: 1 }),
    () => planOf({ microBatch: 2, savesBeside: false }),
  ];
  for (const agreed of await Promise.all(agree(['a', 'a', 'b'], makes)))
    expect(agreed.plan).toEqual(planOf({ microBatch: 1, savesBeside: false }));
});

it('what there is to say of the memory is said once for each machine', async () => {
  const tight = (): TrainingPlan => planOf({ available: GiB });
  const all = await Promise.all(agree(['a', 'b', 'b', 'b'], [() => planOf(), () => planOf(), tight, tight]));
  for (const { limits } of all)
    expect(limits).toEqual([
      expect.stringMatching(/^rank 2 on b: training takes about 2,048 MiB of memory, and 1,024 MiB are free/),
    ]);
});

it('alone, nothing is said of ranks', async () => {
  const { plan, limits } = await agreePlan(undefined, () => planOf({ available: GiB }));
  expect(plan.microBatch).toBe(4);
  expect(limits).toEqual([expect.stringMatching(/^training takes about/)]);
});

it('one that has too little memory is an error on all, by its name', async () => {
  const fails = (): TrainingPlan => {
    throw new RectiflowError('memory', 'training takes too much. Make the model smaller.');
  };
  const all = await Promise.allSettled(agree(['a', 'a', 'b'], [() => planOf(), () => planOf(), fails]));
  for (const outcome of all)
    expect((outcome as PromiseRejectedResult).reason.message).toBe(
      'rank 2 on b: training takes too much. Make the model smaller.',
    );
});
