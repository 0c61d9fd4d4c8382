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
const globalBatch = 6;

const draw = randomDraw({
  seed: 3,
  times: { kind: 'logit-normal', mean: 0, std: 1, stratified: true },
  labelDropout: 0.3,
  conditions: labelCondition(3),
  globalBatch,
});

function programs(batch: number, isReduced: boolean): StepPrograms {
  const task = velocityTask({ model, draw });
  return new StepPrograms(
    { task, batch, globalBatch, optimizers: adamwGroups(adamwDefaults), maxGradNorm: 0.5 },
    { isReduced },
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

/** Waits until all processes are there, then gives each the sums of all, in the order of their numbers. */
function meeting(processes: number): (process: number) => Reducer {
  const waiting: { totals: Buffers; process: number; go: () => void }[] = [];
  const addUp = async (): Promise<void> => {
    const all = waiting.splice(0).toSorted((a, b) => a.process - b.process);
    for (const name of all[0]!.totals.keys()) {
      const parts = await Promise.all(all.map(({ totals }) => totals.get(name)!.read()));
      const sum = parts[0]!.slice();
      for (const part of parts.slice(1)) part.forEach((value, i) => (sum[i]! += value));
      for (const { totals } of all) await totals.get(name)!.write(sum);
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
  batch: number,
  microBatch: number,
  reducer?: Reducer,
): Promise<CompiledTraining> {
  const fill = (buffers: Buffers): Promise<void> => initializeState(backend, model, buffers, 1);
  return compileStep(backend, programs(batch, reducer !== undefined), { microBatch, fill, reducer });
}

describe.each(testBackends())('on $label', ({ create, skip }) => {
  it.skipIf(skip)(
    'two processes with half of the samples each make the same weights, to the bit',
    async () => {
      const backend = create();
      const alone = await compiled(backend, globalBatch, 3);
      const join = meeting(2);
      const pair = await Promise.all([0, 1].map((process) => compiled(backend, 3, 3, join(process))));
      for (const step of [1, 2, 3]) {
        await alone.step.run(inputs(step, 0, globalBatch));
        await Promise.all(pair.map((each, process) => each.step.run(inputs(step, 3 * process, 3))));
      }
      const [whole, ...halves] = await Promise.all(
        [alone, ...pair].map(({ step }) => step.read(['loss', 'gradNorm', 'losses', 'times'])),
      );
      for (const half of halves) expect([half.loss, half.gradNorm]).toEqual([whole!.loss, whole!.gradNorm]);
      // Each draws what its samples have in the whole step.
      for (const name of ['losses', 'times'] as const)
        expect(halves.flatMap((half) => [...half[name]])).toEqual([...whole![name]]);
      for (const [name, buffer] of alone.buffers) {
        if (isTotal(name)) continue;
        const wanted = await buffer.read();
        for (const { buffers } of pair) expect(await buffers.get(name)!.read()).toEqual(wanted);
      }
    },
  );
});
