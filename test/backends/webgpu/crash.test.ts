// A process that trains on a GPU is killed, in a step and in a save: the run goes on, to the bit as if nothing had happened.
import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ConfigInput } from '../../../src/config/config.ts';
import { listCheckpoints, stepName, verifyCheckpoint } from '../../../src/runs/checkpoint.ts';
import { checkpointFolder } from '../../../src/runs/run-folder.ts';
import { readMetrics } from '../../../src/runs/metrics-log.ts';
import {
  type Finished,
  type Running,
  rectiflow,
  startRectiflow,
  temporaryFolder,
} from '../../support/cli.ts';
import { testGpu } from '../../support/gpu.ts';
import { npy } from '../../support/npy.ts';
import { randomValues } from '../../support/random.ts';
import { reached } from '../../support/rank-runs.ts';
import { checkpointDigests } from '../../support/tiny-run.ts';

const { skip } = testGpu;
const steps = 30;
const config = {
  name: 'crash',
  data: { source: 'array', path: 'images.npy' },
  model: { width: 16, depth: 1, heads: 2, patchSize: 4 },
  train: { steps, batchSize: 5, precision: 'fp32', logEvery: 1, sampleEvery: 0, checkpointEvery: 3 },
  sample: { steps: 1, perClass: 1 },
  backend: { name: 'webgpu' },
} as const satisfies ConfigInput;

/** A folder with data and a config. */
async function prepared(): Promise<{ readonly folder: string; readonly run: string }> {
  const folder = await temporaryFolder();
  // 17 images, which no batch divides.
  await writeFile(
    join(folder, 'images.npy'),
    npy('<f4', [17, 1, 8, 8], Float32Array.from(randomValues(17 * 64, 1))),
  );
  await writeFile(join(folder, 'crash.json'), JSON.stringify(config));
  return { folder, run: join(folder, 'runs', config.name) };
}

/** All that does not depend on time. */
async function endOf(run: string): Promise<unknown> {
  const { records, damaged } = await readMetrics(join(run, 'metrics.jsonl'));
  const numbers = records.map(({ step, loss, gradNorm, epoch }) => [step, loss, gradNorm, epoch]);
  return { weights: await checkpointDigests(run, steps), numbers, damaged };
}

/** Resolves once a save has begun that comes after this checkpoint. */
async function saveBegun(run: string, after: number): Promise<void> {
  const folder = checkpointFolder(run);
  for (;;) {
    const names = existsSync(folder) ? await readdir(folder) : [];
    if (names.includes(stepName(after)) && names.some((name) => name.startsWith('.saving-'))) return;
    await sleep(1);
  }
}

describe.skipIf(skip)(`training on a GPU${skip ? ` (skipped: ${skip})` : ''}`, { timeout: 240_000 }, () => {
  let expected: unknown;

  beforeAll(async () => {
    const { folder, run } = await prepared();
    const { code, stderr } = await rectiflow(folder, ['train', 'crash.json']);
    if (code !== 0) throw new Error(stderr);
    expected = await endOf(run);
  }, 240_000);

  async function killed({ process, finished }: Running, when: Promise<void>): Promise<void> {
    await when;
    process.kill('SIGKILL');
    expect((await finished).code).toBe(null);
  }

  /** To its end. @returns the step that it went on from */
  async function resumed(folder: string, run: string): Promise<number> {
    const saved = await listCheckpoints(checkpointFolder(run));
    for (const step of saved) await verifyCheckpoint(join(checkpointFolder(run), stepName(step)));
    const { code, stdout, stderr }: Finished = await rectiflow(folder, ['resume', run]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(await endOf(run)).toEqual(expected);
    return Number(/^run .*, from step (\d+)$/m.exec(stdout)?.[1] ?? 0);
  }

  it('that is killed in a step goes on to the bit, and so does one that is killed before the first save', async () => {
    const { folder, run } = await prepared();
    const first = startRectiflow(folder, ['train', 'crash.json']);
    await killed(first, reached(run, 1));
    const second = startRectiflow(folder, ['resume', run]);
    await killed(second, reached(run, 10));
    expect(await resumed(folder, run)).toBeGreaterThanOrEqual(3);
  });

  it('that is killed in saves goes on to the bit', async () => {
    const { folder, run } = await prepared();
    const first = startRectiflow(folder, ['train', 'crash.json']);
    await killed(first, saveBegun(run, 3));
    const second = startRectiflow(folder, ['resume', run]);
    await killed(second, saveBegun(run, 12));
    expect(await resumed(folder, run)).toBeGreaterThanOrEqual(12);
  });
});
