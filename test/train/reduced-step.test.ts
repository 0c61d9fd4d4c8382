// A step whose samples are shared by several processes, as one process does them all.
import { describe, expect, it } from 'vitest';
import type { Backend, Buffers } from '../../src/backends/backend.ts';
import { labelCondition } from '../../src/models/model.ts';
import { adamwDefaults, adamwGroups } from '../../src/optim/adamw.ts';
import type { HostArray } from '../../src/tensor/dtype.ts';
import { type CompiledTraining, type Reducer, compileStep } from '../../src/train/compiled-step.ts';
import { randomDraw } from '../../src/train/draw.ts';
import { initializeState } from '../../src/train/state.ts';
import { isTotal } from '../../src/train/step.ts';
import { StepPrograms } from '../../src/train/step-programs.ts';
import { velocityTask } from '../../src/train/velocity-task.ts';
import { testBackends } from '../support/backends.ts';
import { tinyDiT } from '../support/models.ts';
import { randomValues } from '../support/random.ts';

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

/** Of one of so many processes. */
function programs(processes: number): StepPrograms {
  const task = velocityTask({ model, draw });
  const [batch, own] = [globalBatch / processes, shards / processes];
  return new StepPrograms(
    { task, batch, shards: own, globalBatch, optimizers: adamwGroups(adamwDefaults), maxGradNorm: 0.5 },
    { isReduced: processes > 1 },
  );
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
  };
}

/** Waits until all processes are there, then gives each the sums of all, over a binary tree in the order of their numbers. */
function meeting(processes: number): (process: number) => Reducer {
  const waiting: { totals: Buffers; process: number; go: () => void }[] = [];
  const addUp = async (): Promise<void> => {
    const all = waiting.splice(0).toSorted((a, b) => a.process - b.process);
    for (const name of all[0]!.totals.keys()) {
      const parts = await Promise.all(
        all.map(async ({ totals }) => (await totals.get(name)!.read()).slice()),
      );
      for (let apart = 1; apart < processes; apart *= 2)
        for (let i = 0; i < processes; i += 2 * apart)
          parts[i + apart]!.forEach((value, at) => (parts[i]![at]! += value));
      for (const { totals } of all) await totals.get(name)!.write(parts[0]!);
    }
    for (const { go } of all) go();
  };
  return (process) => ({
    reduce: (totals) =>
      new Promise((go, fail) => {
        expect([...totals.keys()].every((name) => /^total\/(loss$|gradient\/)/.test(name))).toBe(true);
        waiting.push({ totals, process, go });
        if (waiting.length === processes) addUp().catch(fail);
      }),
  });
}

function compiled(
  backend: Backend,
  processes: number,
  microBatch: number,
  reducer?: Reducer,
): Promise<CompiledTraining> {
  const fill = (buffers: Buffers): Promise<void> => initializeState(backend, model, buffers, 1);
  return compileStep(backend, programs(processes), { microBatch, fill, reducer });
}

const told = ['loss', 'gradNorm', 'losses', 'times'] as const;

describe.each(testBackends())('on $label', ({ create, skip }) => {
  it.skipIf(skip).each([
    [2, 2],
    [4, 2],
    [2, 1],
    [4, 1],
  ])(
    '%i processes that share the shards, in micro-batches of %i, make the weights of one, to the bit',
    async (processes, microBatch) => {
      const backend = create();
      const alone = await compiled(backend, 1, microBatch);
      const join = meeting(processes);
      const ranks = Array.from({ length: processes }, (_, i) => i);
      const all = await Promise.all(
        ranks.map((rank) => compiled(backend, processes, microBatch, join(rank))),
      );
      const batch = globalBatch / processes;
      for (const step of [1, 2, 3]) {
        await alone.step.run(inputs(step, 0, globalBatch));
        await Promise.all(all.map((each, rank) => each.step.run(inputs(step, batch * rank, batch))));
      }
      const [whole, ...shares] = await Promise.all([alone, ...all].map(({ step }) => step.read(told)));
      for (const share of shares)
        expect([share.loss, share.gradNorm]).toEqual([whole!.loss, whole!.gradNorm]);
      // Each draws what its samples have in the whole step.
      for (const name of ['losses', 'times'] as const)
        expect(shares.flatMap((share) => [...share[name]])).toEqual([...whole![name]]);
      for (const [name, buffer] of alone.buffers) {
        if (isTotal(name)) continue;
        const wanted = await buffer.read();
        for (const { buffers } of all) expect(await buffers.get(name)!.read()).toEqual(wanted);
      }
    },
  );
});
