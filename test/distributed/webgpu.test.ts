// Ranks that compute on one GPU, which all processes of a machine share: they make what one process makes on it.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ConfigInput } from '../../src/config/config.ts';
import { rectiflow, temporaryFolder } from '../support/cli.ts';
import { testGpu } from '../support/gpu.ts';
import { installed } from '../support/mpi.ts';
import { npy } from '../support/npy.ts';
import { randomValues } from '../support/random.ts';
import { madeBy, startRun } from '../support/rank-runs.ts';

const steps = 6;
const logEvery = 2;
const config = {
  name: 'ranks',
  data: { source: 'array', path: 'images.npy' },
  model: { width: 16, depth: 1, heads: 2, patchSize: 4 },
  ema: { decays: [0.9, 0.99] },
  train: { steps, batchSize: 8, shards: 2, precision: 'fp32', logEvery, sampleEvery: 0, checkpointEvery: 3 },
  heldOut: { count: 4, every: 2 },
  sample: { steps: 1, perClass: 1 },
  backend: { name: 'webgpu' },
} as const satisfies ConfigInput;

const mpi = installed.find(({ kind }) => kind === 'openmpi')!;
const skipped = mpi.skipped || (testGpu.skip ? ` (skipped: ${testGpu.skip})` : '');

describe.skipIf(skipped)(`two ranks on one GPU${skipped}`, () => {
  it(
    'make the run of one process, to the bit, and are told that they share it',
    { timeout: 240_000 },
    async () => {
      const folder = await temporaryFolder();
      await writeFile(
        join(folder, 'images.npy'),
        npy('<f4', [24, 1, 8, 8], Float32Array.from(randomValues(24 * 64, 1))),
      );
      await writeFile(join(folder, 'run.json'), JSON.stringify(config));
      const made = (name: string): Promise<Record<string, unknown>> =>
        madeBy(join(folder, 'runs', name), steps, logEvery);
      expect(await rectiflow(folder, ['train', 'run.json', '--name', 'alone'])).toMatchObject({ code: 0 });
      const env = { VK_ICD_FILENAMES: process.env['VK_ICD_FILENAMES']! };
      const args = ['train', 'run.json', '--name', 'two'];
      const { code, stdout, stderr } = await startRun(mpi, 2, folder, args, { env, limit: 120_000 }).ended;
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/^note: 2 ranks share one GPU: /m);
      expect(stdout).toMatch(/^backend {2}.* by WebGPU, fp32/m);
      expect(await made('two')).toEqual(await made('alone'));
    },
  );
});
