import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diskOf } from '../../../src/api/plan/disk.ts';
import {
  type MachinePlan,
  type StepModel,
  fitSamples,
  planElsewhere,
} from '../../../src/api/plan/elsewhere.ts';
import { type FlopsPlan, flopsOf } from '../../../src/api/plan/flops.ts';
import { machineOf, machines } from '../../../src/api/plan/machines.ts';
import { planMemory } from '../../../src/api/plan/memory.ts';
import { lineThrough } from '../../../src/api/plan/smaller.ts';
import { constants } from '../../../src/api/plan/ranks/cost.ts';
import { planRanks } from '../../../src/api/plan/tables.ts';
import { workloadOf } from '../../../src/api/plan/workload.ts';
import { referenceBackend } from '../../../src/backends/reference/index.ts';
import type { RunConfig } from '../../../src/config/config.ts';
import { resolveConfig } from '../../../src/config/resolve-config.ts';
import { createModel } from '../../../src/train/create-model.ts';
import { tinyStripes } from '../../support/tiny-run.ts';

type Changes = Parameters<typeof resolveConfig>[0];

const resolved = (changes: Changes = {}): RunConfig => resolveConfig({ ...tinyStripes, ...changes });

const multiple = (step: number, every: number): boolean => every > 0 && step % every === 0;

describe('what a run does beside its steps', () => {
  it('is counted as a run does it, step by step', () => {
    const every = fc.integer({ min: 0, max: 12 });
    const settings = fc.record({
      steps: fc.integer({ min: 1, max: 60 }),
      logEvery: fc.integer({ min: 1, max: 12 }),
      sampleEvery: every,
      checkpointEvery: every,
      keepCheckpoints: fc.integer({ min: 1, max: 4 }),
      keepEvery: every,
      heldOutEvery: fc.integer({ min: 1, max: 12 }),
      count: fc.constantFrom(0, 3),
    });
    fc.assert(
      fc.property(settings, ({ heldOutEvery, count, ...train }) => {
        const { steps, logEvery, sampleEvery, checkpointEvery, keepCheckpoints, keepEvery } = train;
        const base = resolved();
        const config = {
          ...base,
          train: { ...base.train, ...train },
          heldOut: { count, every: heldOutEvery },
        };
        const seen = { logged: 0, heldOut: 0, grids: 0, checkpoints: [] as number[] };
        for (let step = 1; step <= steps; step++) {
          const isLast = step === steps;
          const isHeldOut = isLast || (count > 0 && multiple(step, heldOutEvery));
          if (step === 1 || multiple(step, logEvery) || multiple(step, checkpointEvery) || isHeldOut)
            seen.logged++;
          if (count > 0 && isHeldOut) seen.heldOut++;
          if (isLast || multiple(step, sampleEvery)) seen.grids++;
          if (isLast || multiple(step, checkpointEvery)) {
            seen.checkpoints.push(step);
          }
        }
        // As the run folder does after each checkpoint.
        const kept = seen.checkpoints.filter(
          (step, i, all) => i >= all.length - keepCheckpoints || multiple(step, keepEvery),
        );
        expect(workloadOf(config, true)).toEqual({
          steps,
          logged: seen.logged,
          heldOut: seen.heldOut,
          grids: seen.grids,
          checkpoints: seen.checkpoints.length,
          kept: kept.length,
          averages: 0,
        });
        expect(workloadOf(config, false).grids).toBe(0);
      }),
    );
  });

  it('has stored averages only where the config asks for them', () => {
    const config = resolved({ ema: { power: [0.05, 0.1], snapshotEvery: 5 } });
    expect(workloadOf(config, true).averages).toBe(2);
  });
});

describe('the disk', () => {
  it('holds checkpoints that are kept, averages in halves, pictures and metrics, and one checkpoint more on the way', () => {
    const config = resolved({
      ema: { power: [0.05, 0.1], snapshotEvery: 4 },
      sinks: { tensorboard: false },
      train: { steps: 12, logEvery: 4, sampleEvery: 6, checkpointEvery: 2, keepCheckpoints: 2 },
    });
    const sizes = { checkpoint: 1000, pictures: 70, line: 10, parameters: 100, free: 5000 };
    const disk = diskOf(config, workloadOf(config, true), sizes);
    // Logged: 1, 2, 4, 6, 8, 10, 12; averages after 4, 8, 12, of two lengths.
    expect(disk).toMatchObject({
      kept: 2,
      checkpoints: 2000,
      averages: 3 * 2 * 2 * 100,
      samples: 140,
      metrics: 70,
    });
    expect(disk.total).toBe(2000 + 1200 + 140 + 70);
    expect(disk.most).toBe(disk.total + 1000);
    // Events hold pictures once more, and numbers in 1.3 times the bytes.
    const withEvents = diskOf({ ...config, sinks: { tensorboard: true } }, workloadOf(config, true), sizes);
    expect(withEvents).toMatchObject({ samples: 2 * 140, metrics: 2.3 * 70 });
    expect(withEvents.total).toBeCloseTo(2000 + 1200 + 280 + 161, 9);
  });
});

describe('operations', () => {
  const velocity = createModel(resolved().model);
  // Its functions are of its class.
  const model = Object.assign(Object.create(velocity) as typeof velocity, {
    cost: { forward: 10, training: 30 },
  });
  const of = (config: RunConfig, shows: boolean): FlopsPlan =>
    flopsOf({ config, model, source: { count: 17 }, work: workloadOf(config, shows), own: {} });

  it('are those of steps and of samples, by the evaluations that they take', () => {
    const config = resolved({
      train: { ...tinyStripes.train, sampleEvery: 6 },
      sample: {
        steps: 3,
        sampler: 'heun',
        perClass: 2,
        labels: [0, 1],
        guidance: 2,
        guidanceInterval: [0.25, 0.75],
      },
    });
    const flops = of(config, true);
    expect(flops).toMatchObject({ forward: 10, training: 30, step: 150 });
    // Four samples of two sets of weights, two evaluations for each of three steps, half of them with nothing told, too.
    expect(flops.grid).toBe(4 * 2 * 6 * 1.5 * 10);
    expect(flops.total).toBe(12 * 150 + 2 * flops.grid);
  });

  it('are the mean of steps of every shape, by the samples that each has', () => {
    const shapes = [
      [1, 8, 12],
      [1, 16, 24],
    ];
    const costs = [10, 90];
    const sized = Object.assign(Object.create(velocity) as typeof velocity, {
      cost: ([, height]: readonly number[]) => ({ forward: 1, training: costs[height === 8 ? 0 : 1]! }),
    });
    const stepOf = (batchBy: 'samples' | 'tokens'): number => {
      const config = resolved({ train: { ...tinyStripes.train, batchSize: 8, batchBy } });
      const source = { count: 17, sizes: { shapes } };
      return flopsOf({ config, model: sized, source, work: workloadOf(config, false), own: {} }).step;
    };
    expect(stepOf('samples')).toBe((8 * 10 + 8 * 90) / 2);
    // As many tokens: a quarter of the samples.
    expect(stepOf('tokens')).toBe((8 * 10 + 2 * 90) / 2);
  });

  it('are more by a forward pass where blocks are computed again', () => {
    const config = resolved({ train: { ...tinyStripes.train, memory: 'recompute' } });
    expect(of(config, false)).toMatchObject({
      training: 40,
      step: 200,
      grid: 0,
    });
  });

  it('are more by it on a machine that is too small otherwise, and no more where the config has it so', () => {
    const small = { ...machineOf('A100'), memory: 12e9 };
    const steps = (activations: number): StepModel => ({
      state: { whole: 1e9, parts: 1e9 },
      activations: (samples) => samples * activations,
      kernels: { part: 0, update: 0 },
    });
    const planned = (memory: 'keep' | 'recompute', kept: number): MachinePlan => {
      const config = resolved({ train: { ...tinyStripes.train, memory } });
      const recompute = steps(1e9);
      const asSet = memory === 'keep' ? steps(kept) : recompute;
      const work = workloadOf(config, false);
      const shared = { config, model, source: { count: 17 }, work, own: {}, utilisation: 0.5 };
      return planElsewhere(small, { ...shared, steps: { asSet, recompute } });
    };
    const speed = 0.5 * small.bf16;
    expect(planned('keep', 1e9)).toMatchObject({ recompute: false, microBatch: 5, step: 150 / speed });
    expect(planned('keep', 1e11)).toMatchObject({ recompute: true, microBatch: 5, step: 200 / speed });
    expect(planned('recompute', 0)).toMatchObject({ recompute: true, microBatch: 5, step: 200 / speed });
  });
});

describe('machines', () => {
  it('are found by their names, and others are refused with a guess', () => {
    expect(machineOf('h100').name).toBe('H100');
    expect(() => machineOf('RTX4900')).toThrow(
      /^plan: machine must be one of this, RTX-3060, .*, got "RTX4900"\. Did you mean "RTX-4090"\?$/,
    );
    expect(() => machineOf('')).toThrow(/^plan: machine must be one of/);
  });

  it('have figures with a source, halves at least as fast as float32', () => {
    for (const machine of machines) {
      expect(machine.source).not.toBe('');
      expect(machine.bf16).toBeGreaterThanOrEqual(machine.fp32);
      expect(machine.memory).toBeGreaterThan(1e9);
    }
  });

  it('compute as many samples at a time as fit, in parts as equal as can be', () => {
    const model = {
      state: { whole: 4e9, parts: 5e9 },
      activations: (samples: number) => samples * 1e9,
      kernels: { part: 1, update: 1 },
    };
    const beside = 2 ** 30;
    expect(fitSamples(model, 10, 100e9)).toEqual({ microBatch: 10, needed: 14e9 + beside });
    // 0.95 x 12 GB less 5 GB and the driver's hold five samples: two parts.
    expect(fitSamples(model, 10, 12e9)).toEqual({ microBatch: 5, needed: 10e9 + beside });
    expect(fitSamples(model, 10, 7.6e9)).toEqual({ microBatch: 1, needed: 6e9 + beside });
    expect(fitSamples(model, 10, 7e9)).toEqual({ microBatch: undefined, needed: 6e9 + beside });
  });
});

describe('ranks', () => {
  it('share the samples of a step, and wait for a ring of gradients', () => {
    const link = { name: 'a link', bandwidth: 1e6 / constants.payload, latency: 0 };
    const machine = { link, cores: 1, copying: Infinity };
    const work = { step: 8, update: 0, parts: 1e9, parameters: 1e6 };
    const rows = planRanks({ batchSize: 16, steps: 100, work, machine });
    const row = (batchSize: number, ranks: number): (typeof rows)[number] =>
      rows.find((each) => each.batchSize === batchSize && each.ranks === ranks)!;
    expect(row(16, 1)).toEqual({
      batchSize: 16,
      ranks: 1,
      step: 8,
      communication: 0,
      samplesPerSecond: 2,
      total: 800,
    });
    // Half of 4 MB twice, at 1 MB a second.
    expect(row(16, 2).communication).toBeCloseTo(4, 1);
    expect(row(16, 2).step).toBeCloseTo(8, 1);
    expect(row(64, 4).communication).toBeCloseTo(6 / constants.several, 1);
    expect(row(64, 4).step).toBeCloseTo(8 + 6 / constants.several, 1);
    expect(row(64, 4).total).toBeCloseTo(25 * row(64, 4).step, 9);
    expect(
      planRanks({ batchSize: 2, steps: 1, work, machine }).every(
        ({ ranks, batchSize }) => ranks <= batchSize,
      ),
    ).toBe(true);
  });
});

describe('the line of smaller steps', () => {
  it('goes through two points, or through one and nothing', () => {
    expect(
      lineThrough(
        [
          [1, 5],
          [3, 9],
        ],
        10,
      ),
    ).toBe(23);
    expect(lineThrough([[4, 8]], 4)).toBe(8);
    expect(lineThrough([[4, 8]], 12)).toBe(24);
  });

  it('does not fall: what something else made slow is no sign that more takes less', () => {
    expect(
      lineThrough(
        [
          [1, 5],
          [3, 4],
        ],
        10,
      ),
    ).toBe(5);
  });
});

describe('the memory', () => {
  const GiB = 2 ** 30;
  const host = (available: number): Parameters<typeof planMemory>[1] => ({
    used: () => 0,
    mostUsed: () => 0,
    available: () => available,
    installed: () => available,
  });
  const config = resolved({
    train: { ...tinyStripes.train, batchSize: 512 },
    model: { ...tinyStripes.model, width: 32, depth: 2, imageSize: [16, 16] },
  });
  const plan = (
    available: number,
    changes: Partial<RunConfig['train']> = {},
  ): ReturnType<typeof planMemory> => {
    const changed = { ...config, train: { ...config.train, ...changes } };
    const model = createModel(changed.model);
    return planMemory(
      { config: changed, backend: referenceBackend(), model, source: { count: 17 } },
      host(available),
    );
  };

  it('is enough, or is told with the least change that helps', () => {
    expect(plan(100 * GiB)).toMatchObject({ fits: true, microBatch: 512, remedies: [] });
    const { total } = plan(100 * GiB).estimate;
    const tight = plan(0.7 * total);
    expect(tight.fits).toBe(false);
    expect(tight.remedies).toEqual([
      expect.stringMatching(
        /^With train\.microBatch=auto it takes [\d,]+ MiB, \d+ of 512 samples at a time\.$/,
      ),
    ]);
    const chosen = plan(0.7 * total, { microBatch: 'auto' });
    expect(chosen.fits).toBe(true);
    expect(chosen.microBatch).toBeLessThan(512);
  });

  it('of what cannot fit at all names the state, which ranks do not share', () => {
    const none = plan(66 * 2 ** 20, { microBatch: 'auto' });
    expect(none).toMatchObject({ fits: false, microBatch: 1 });
    expect(none.remedies).toEqual([
      expect.stringMatching(/^Weights, moments and averages alone take \d+ MiB: .* More ranks do not help/),
    ]);
  });
});
