// How training fits onto a device with memory of its own, of which nobody knows how much there is.
import { describe, expect, it } from 'vitest';
import { planMemory as planRun } from '../../src/api/plan/memory.ts';
import type { Backend } from '../../src/backends/backend.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import type { RunConfig } from '../../src/config/config.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { bytesOf, planMemory } from '../../src/program/index.ts';
import { createModel } from '../../src/train/create-model.ts';
import type { HostMemory } from '../../src/train/host-memory.ts';
import { bytesTaken } from '../../src/train/memory-estimate.ts';
import { type TrainingPlan, planTraining } from '../../src/train/plan-training.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';

const source = stripes();
const MiB = 2 ** 20;
const state = 3 * MiB;
const machine = (available: number): HostMemory => ({
  used: () => 0,
  mostUsed: () => 0,
  available: () => available,
  installed: () => Infinity,
});

/** @param most bytes of a value */
function device(most: number, isSeparate = true): Backend {
  return {
    ...referenceBackend(),
    deviceNeeds(programs) {
      const plans = programs.map((program) => planMemory(program));
      const values = plans.reduce((sum, { arenaBytes }) => sum + arenaBytes, 0);
      const all = plans.flatMap(({ placements }) => placements.map(({ tensor }) => bytesOf(tensor)));
      return { state, values, scratch: 0, largest: Math.max(...all), most, isSeparate };
    },
  };
}

function optionsOf(backend: Backend, changes: Partial<RunConfig['train']>) {
  const config = resolveConfig(
    // A grid of one sample: what a step makes on its way is what takes most.
    {
      ...tinyStripes,
      model: { ...tinyStripes.model, patchSize: 2 },
      sample: { labels: [0], perClass: 1 },
      train: { ...tinyStripes.train, batchSize: 8, ...changes },
    },
    { facts: source },
  );
  return { config, backend, model: createModel(config.model), source };
}

function plan(backend: Backend, changes: Partial<RunConfig['train']>, available = 1024 * MiB): TrainingPlan {
  return planTraining(optionsOf(backend, changes), machine(available));
}

/** The largest value with so many samples at a time. */
const largest = (microBatch: number): number =>
  plan(device(Infinity), { microBatch }).estimate.device!.largest;

describe('a device with memory of its own', () => {
  it('holds what programs compute in, and the machine the rest', () => {
    const { estimate } = plan(device(Infinity), {});
    const { process, activations, snapshot, data } = estimate;
    expect(estimate.device).toMatchObject({ bytes: state + activations, isSeparate: true });
    expect(estimate.total).toBe(process + snapshot + data);
    expect(bytesTaken(estimate)).toBe(state + activations);
    const shared = plan(device(Infinity, false), {}).estimate;
    expect(shared.total).toBe(process + state + activations + snapshot + data);
    expect(bytesTaken(shared)).toBe(shared.total);
  });

  it('is given as many samples at a time as its largest value allows', () => {
    expect(plan(device(largest(8)), { microBatch: 'auto' }).microBatch).toBe(8);
    expect(plan(device(largest(8) - 1), { microBatch: 'auto' }).microBatch).toBe(4);
    expect(plan(device(largest(2)), { microBatch: 'auto' }).microBatch).toBe(2);
  });

  it('is given as many as train.memoryMiB allows it', () => {
    const most = Math.ceil(bytesTaken(plan(device(Infinity), { microBatch: 2 }).estimate) / MiB);
    const chosen = plan(device(Infinity), { microBatch: 'auto', memoryMiB: most }, 1024 * MiB);
    expect(chosen.microBatch).toBeGreaterThanOrEqual(2);
    expect(bytesTaken(chosen.estimate)).toBeLessThanOrEqual(most * MiB);
    expect(() => plan(device(Infinity), { microBatch: 'auto', memoryMiB: 2 })).toThrow(
      /one sample at a time takes about \d+ MiB, train\.memoryMiB allows 2 MiB/,
    );
  });

  it('is refused a value that is too large for it, before anything is allocated', () => {
    expect(() => plan(device(largest(8) - 1), {})).toThrow(
      /^training has a value of \d+ MiB, and the GPU allows \d+ MiB in one\. Set train\.microBatch lower, or to auto\.$/,
    );
    expect(() => plan(device(64), { microBatch: 'auto' })).toThrow(
      /^training has a value of .* Make the model or its images smaller, or sample\.perClass lower\.$/,
    );
  });

  it('is told of by plan, with what to change', () => {
    const told = planRun(optionsOf(device(largest(8) - 1), {}), machine(1024 * MiB));
    expect(told).toMatchObject({ fits: false, microBatch: 8 });
    expect(told.remedies).toEqual([
      expect.stringMatching(/^With train\.microBatch=auto it takes \d+ MiB, 4 of 8 samples at a time\.$/),
    ]);
    const hopeless = planRun(optionsOf(device(64), { microBatch: 'auto' }), machine(1024 * MiB));
    expect(hopeless.remedies).toEqual([
      expect.stringMatching(
        /^Its largest value is of .* allows .*: make the model or its images smaller, or sample\.perClass lower\.$/,
      ),
    ]);
  });
});
