import { cp, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  type Backend,
  type StoredTensors,
  cpuBackend,
  exportRun,
  referenceBackend,
  sample,
} from '../../src/index.ts';
import { testBackends } from '../support/backends.ts';
import { rectiflow, temporaryFolder } from '../support/cli.ts';
import { type Expected, type Outcome, checkpointFile, digest, goOn, tensorsOf } from './kept-outcome.ts';
import { keptRuns, stopped } from './kept-runs.ts';

const version = fileURLToPath(new URL('version-0.1/', import.meta.url));

/** A table that follows from the size of the images. */
const fixed = 'pos_embed';

interface Kept {
  /** A copy, which may go on. */
  readonly run: string;
  goOn(backend: Backend): Promise<Outcome>;
}

async function copyOf(name: string): Promise<Kept> {
  const folder = await temporaryFolder();
  const run = join(folder, name);
  await cp(join(version, name, 'run'), run, { recursive: true });
  return {
    run,
    async goOn(backend) {
      const source = await keptRuns[name]!.source(folder);
      try {
        return await goOn(run, source, backend);
      } finally {
        await source.close?.();
      }
    },
  };
}

function norm(values: ArrayLike<number>): number {
  return Math.hypot(...Array.from(values));
}

function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return norm(Array.from(a, (value, i) => value - b[i]!));
}

function numbers(tensors: StoredTensors, name: string): Float32Array {
  const tensor = tensors.get(name);
  expect(tensor, `tensor ${name}`).toMatchObject({ dtype: 'F32' });
  return tensor!.data as Float32Array;
}

/** Compares tensors to within a share of the way that the weights went since the stop, or the last digit. */
function checkClose(found: StoredTensors, wanted: StoredTensors, moved: Moved, share: number): void {
  for (const [name, { data }] of wanted) {
    if (name === fixed) continue;
    const values = data as Float32Array;
    const tolerance = share * moved.get(name.replace(/^ema\.[^/]+\//, ''))! + 1e-7 * norm(values);
    expect(distance(numbers(found, name), values), `distance of ${name}`).toBeLessThanOrEqual(tolerance);
  }
}

type Moved = ReadonlyMap<string, number>;

/** How far each tensor of the weights went since the stop. */
async function movedSince(run: string, { tensors }: Outcome): Promise<Moved> {
  const before = await tensorsOf(checkpointFile(run, stopped, 'model'));
  return new Map(
    [...before.keys()].map((name) => [name, distance(numbers(tensors.model, name), numbers(before, name))]),
  );
}

describe.each(Object.entries(keptRuns))('the run %s of version 0.1', (name, { precision, config }) => {
  const end = join(version, name, 'end');
  let expected: Expected;
  let reference: Outcome;
  let moved: Moved;

  beforeAll(async () => {
    expected = JSON.parse(await readFile(join(end, 'expected.json'), 'utf8')) as Expected;
    const kept = await copyOf(name);
    reference = await kept.goOn(referenceBackend({ precision }));
    moved = await movedSince(kept.run, reference);
  });

  it('goes on with the same losses, weights, moments and samples to the bit', () => {
    // By name: what a later version stores beside them is its own.
    expect(digest(reference)).toMatchObject(expected);
  });

  // The last digits of an average depend on how 1 - decay is rounded, which is no promise.
  it('goes on with the same averages, within 2e-4 of the way of the weights', async () => {
    checkClose(reference.tensors.ema, await tensorsOf(join(end, 'ema.safetensors')), moved, 2e-4);
    const { decays = [], power = [] } = config.ema ?? {};
    expect(reference.averages === undefined).toBe(decays.length + power.length === 0);
    if (reference.averages)
      checkClose(reference.averages, await tensorsOf(join(end, 'averages.safetensors')), moved, 2e-4);
  });

  const { skip } = testBackends().find(({ label }) => label === 'cpu portable')!;
  it.skipIf(skip)(`goes on alike on the CPU${skip ? ` (skipped: ${skip})` : ''}`, async () => {
    const { goOn: onCpu } = await copyOf(name);
    const { logged, tensors, averages } = await onCpu(cpuBackend({ precision, threads: 1 }));
    // Instruction sets and compilers add in other orders; in bfloat16 a value then rounds to its neighbour.
    const [losses, weights] = precision === 'bf16' ? [1e-3, 0.3] : [1e-5, 1e-2];
    logged.forEach(({ step, loss, skipped }, i) => {
      const wanted = expected.logged[i]!;
      expect({ step, skipped }).toEqual({ step: wanted.step, skipped: wanted['skipped'] });
      expect(Math.abs(Number(loss) / Number(wanted['loss']) - 1), `loss of step ${step}`).toBeLessThan(
        losses,
      );
    });
    checkClose(tensors.model, reference.tensors.model, moved, weights);
    checkClose(tensors.ema, reference.tensors.ema, moved, weights);
    if (averages) checkClose(averages, reference.averages!, moved, weights);
  });

  it('is described by info', async () => {
    const { run } = await copyOf(name);
    const { code, stdout, stderr } = await rectiflow(run, ['info', run]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`step ${stopped} of 8`));
  });
});

describe('of version 0.1', () => {
  it.each(['ema', 'model', 'ema:0.9', 'ema:power-0.1'])(
    'samples are made with the weights %s',
    async (weights) => {
      const { run } = await copyOf('classes');
      const { values } = await sample(run, { weights, backend: referenceBackend(), count: 1, steps: 1 });
      expect(values).toHaveLength(3 * 32);
    },
  );

  it('averages of other lengths are made of the stored ones', async () => {
    const { run } = await copyOf('classes');
    const { values } = await sample(run, {
      emaLength: 0.12,
      backend: referenceBackend(),
      count: 1,
      steps: 1,
    });
    expect(values.every(Number.isFinite)).toBe(true);
  });

  it.each(['classes', 'ddpm'])('%s is exported for other systems', async (name) => {
    const { run } = await copyOf(name);
    for (const layout of ['public', 'onnx'] as const) {
      const to = join(run, layout);
      await exportRun(run, { to, layout });
      expect((await stat(to)).size).toBeGreaterThan(0);
    }
    const kept = await tensorsOf(checkpointFile(run, stopped, 'ema'));
    expect(await tensorsOf(join(run, 'public'))).toEqual(kept);
  });
});
