import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { train } from '../../src/api/train.ts';
import type { Buffer } from '../../src/backends/backend.ts';
import { cpuBackend } from '../../src/backends/cpu/index.ts';
import type { RunConfig } from '../../src/config/config.ts';
import { createModel } from '../../src/train/create-model.ts';
import type { HostMemory } from '../../src/train/host-memory.ts';
import { type MemoryEstimate, estimateMemory } from '../../src/train/memory-estimate.ts';
import { shareOf } from '../../src/train/ranks/share.ts';
import { type TrainingPlan, describeLimits, planTraining } from '../../src/train/plan-training.ts';
import { prepareTraining } from '../../src/runner/prepare-run.ts';
import { resolveConfig } from '../../src/config/resolve-config.ts';
import { type Program, bytesOf } from '../../src/program/index.ts';
import { checkpointDigests, stripes, tinyStripes } from '../support/tiny-run.ts';
import { temporaryFolder } from '../support/cli.ts';

const backend = cpuBackend({ threads: 1 });
const source = stripes();
const held = 0;
const GiB = 2 ** 30;

/** A machine with so much, of which nothing is used. */
const machine = (available: number, installed = Infinity): HostMemory => ({
  used: () => held,
  mostUsed: () => held,
  available: () => available,
  installed: () => installed,
});

function configOf(changes: Partial<RunConfig['train']> = {}): RunConfig {
  return resolveConfig(
    // Many tokens and a grid of one sample: what a step makes on its way is what takes most.
    {
      ...tinyStripes,
      model: { ...tinyStripes.model, patchSize: 2 },
      sample: { labels: [0], perClass: 1 },
      train: { ...tinyStripes.train, batchSize: 7, ...changes },
    },
    { facts: source },
  );
}

function plan(changes: Partial<RunConfig['train']>, available = GiB): TrainingPlan {
  const config = configOf(changes);
  return planTraining({ config, backend, model: createModel(config.model), source }, machine(available));
}

/** Bytes that training with this micro-batch takes. */
function needed(microBatch: number, savesBeside = false): number {
  const config = configOf();
  const model = createModel(config.model);
  return estimateMemory({ config, backend, model, source, microBatch, savesBeside, held }).total;
}

describe('what training will take', () => {
  it.each([undefined, 3])(
    'is what is allocated for its state, with micro-batches of %s',
    async (microBatch) => {
      const config = configOf({ microBatch });
      const { estimate } = plan({ microBatch });
      const { buffers } = await prepareTraining({ config, backend, source });
      const allocated = [...buffers.values()].reduce((sum, buffer) => sum + bytesOf(buffer), 0);
      expect(estimate.state).toBe(allocated);
      expect(estimate.snapshot < estimate.state).toBe(microBatch !== undefined);
    },
  );

  it('holds the scratch memory of the most demanding program', async () => {
    const config = configOf();
    const model = createModel(config.model);
    const options = { config, model, source, microBatch: 7, held };
    const asked: Program[] = [];
    const scratchBytes = (program: Program): number => (asked.push(program), asked.length === 2 ? 5000 : 100);
    const told = estimateMemory({ ...options, backend: { ...backend, scratchBytes } });
    const real = estimateMemory({ ...options, backend });
    expect(told.scratch).toBe(5000);
    expect(real.scratch).toBe(Math.max(...asked.map((program) => backend.scratchBytes!(program))));
    expect(real.scratch).toBeGreaterThan(2 ** 16);
    expect(real.total - told.total).toBe(real.scratch - 5000);
    const { scratchBytes: _, ...silent } = backend;
    expect(estimateMemory({ ...options, backend: silent }).scratch).toBe(0);
  });

  it('is a share of the state on each rank, and the same on the disk', () => {
    const config = configOf({ batchSize: 8, shards: 4 });
    const model = createModel(config.model);
    const of = (ranks: number): MemoryEstimate => {
      const share = shareOf(config.train, ranks === 1 ? undefined : { rank: 0, ranks });
      return estimateMemory({ config, backend, model, source, microBatch: 2, held, share });
    };
    const [alone, ofFour] = [of(1), of(4)];
    expect(ofFour.checkpoint / alone.checkpoint).toBeCloseTo(1, 10);
    // Slices begin at whole cache lines.
    expect(ofFour.snapshot / alone.snapshot).toBeCloseTo(1 / 4, 1);
    // All weights, and a gradient for each shard of its own where there were three sums of four shards.
    expect(ofFour.state).toBeLessThan(0.5 * alone.state);
  });

  it('is told before training is prepared, and goes into the notices where it is not there', async () => {
    const heard: string[] = [];
    await prepareTraining({
      config: configOf(),
      backend,
      source,
      onPlan: ({ estimate }) => heard.push(`${estimate.total > 0}`),
    });
    expect(heard).toEqual(['true']);
    expect(describeLimits(plan({}, GiB))).toEqual([]);
    expect(describeLimits(plan({}, 2 ** 20)).at(-1)).toMatch(
      /takes about \d+ MiB .* 1 MiB are free.*microBatch/,
    );
  });
});

describe('what no machine like this could do', () => {
  const planOn = (installed: number, memoryMiB: number | 'auto', microBatch?: 'auto'): TrainingPlan => {
    const config = configOf({ memoryMiB, microBatch });
    const model = createModel(config.model);
    return planTraining({ config, backend, model, source }, machine(GiB, installed));
  };
  const taken = needed(7);

  it('is refused, and not before', () => {
    expect(() => planOn(taken / 1.6, 1)).toThrow(
      /^training takes about \d+ MiB of memory, and this machine has \d+ MiB with its swap space\. .* set train\.memoryMiB to \d+\.$/,
    );
    expect(planOn(taken / 1.4, 1).microBatch).toBe(7);
  });

  it('is tried where the config says so', () => {
    expect(planOn(1, Math.ceil(taken / 2 ** 20)).microBatch).toBe(7);
  });
});

describe('a copy of the state, for checkpoints that are written beside training', () => {
  const least = (needed(7, true) + 64) / 0.9;
  it.each([undefined, 'auto'] as const)('is made where it fits, with micro-batches of %s', (microBatch) => {
    const roomy = plan({ microBatch }, least);
    expect(roomy).toMatchObject({ microBatch: 7, savesBeside: true });
    const tight = plan({ microBatch }, least - 128);
    expect(tight).toMatchObject({ microBatch: 7, savesBeside: false, estimate: { snapshot: 0 } });
    expect(tight.estimate.total).toBe(roomy.estimate.total - roomy.estimate.checkpoint);
    expect(describeLimits(tight)).toEqual([
      expect.stringMatching(/^a copy of the state .*, 1 MiB, .*: steps wait/),
    ]);
  });

  it('is made in any case by a backend whose memory the host does not see', () => {
    const config = configOf();
    const model = createModel(config.model);
    const { view: _, ...hidden } = backend;
    expect(planTraining({ config, backend: hidden, model, source }, machine(1)).savesBeside).toBe(true);
  });

  it('changes nothing but the waiting: checkpoints are the same to the bit', async () => {
    const digests = [];
    for (const memoryMiB of [1, 'auto'] as const) {
      const viewed: Buffer[] = [];
      const told: string[] = [];
      const input = {
        ...tinyStripes,
        train: { ...tinyStripes.train, memoryMiB, checkpointEvery: 5, logEvery: 1 },
      };
      const runs = await temporaryFolder();
      const { run } = await train(input, {
        runs,
        source,
        backend: { ...backend, view: (buffer) => (viewed.push(buffer), backend.view!(buffer)) },
        onNotice: (text) => void told.push(text),
        onStep: ({ step }) => void told.push(`step ${step}`),
        onCheckpoint: (step) => void told.push(`checkpoint ${step}`),
      });
      expect(viewed.length > 0).toBe(memoryMiB === 1);
      expect(told.some((text) => text.includes('steps wait'))).toBe(memoryMiB === 1);
      if (memoryMiB === 1) expect(told.indexOf('checkpoint 5')).toBe(told.indexOf('step 5') + 1);
      digests.push([await checkpointDigests(run, 5), await checkpointDigests(run, 12)]);
    }
    expect(digests[0]).toEqual(digests[1]);
  });
});

describe('train.microBatch auto', () => {
  it('takes the whole batch where that fits, in memoryMiB or in most of what is there', () => {
    expect(plan({ microBatch: 'auto' })).toMatchObject({ batchSize: 7, microBatch: 7 });
    expect(plan({ microBatch: 'auto', memoryMiB: 1024 }, 1)).toMatchObject({ microBatch: 7 });
  });

  it.each([3, 2, 1])('takes the fewest parts that fit: %i at a time', (microBatch) => {
    const { estimate, microBatch: chosen } = plan({ microBatch: 'auto' }, (needed(microBatch) + 64) / 0.9);
    expect(chosen).toBe(microBatch);
    expect(estimate.total).toBe(needed(microBatch));
  });

  it('says what to do where not even one sample fits', () => {
    expect(() => plan({ microBatch: 'auto', memoryMiB: 1 })).toThrow(
      /one sample at a time takes about \d+ MiB, train\.memoryMiB allows 1 MiB\. .*recompute.*raise train\.memoryMiB/,
    );
    expect(() => plan({ microBatch: 'auto' }, 1)).toThrow(/the memory that is free allows 1 MiB/);
  });

  it('is recorded as a number, with which the run goes on', async () => {
    const runs = await temporaryFolder();
    const input = { ...tinyStripes, train: { ...tinyStripes.train, steps: 1, microBatch: 'auto' as const } };
    const { run } = await train(input, { runs, source, backend });
    const { config } = JSON.parse(await readFile(join(run, 'config.json'), 'utf8')) as { config: RunConfig };
    expect(config.train.microBatch).toBe(5);
  });
});
