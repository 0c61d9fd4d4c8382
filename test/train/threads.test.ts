import { describe, expect, it } from 'vitest';
import { train } from '../../src/api/train.ts';
import type { Precision } from '../../src/backends/backend.ts';
import { cpuBackend } from '../../src/backends/cpu/index.ts';
import { testBackends } from '../support/backends.ts';
import { temporaryFolder } from '../support/cli.ts';
import { checkpointBytes, tinyDigits } from '../support/tiny-run.ts';

const steps = 20;
const { skip } = testBackends().find(({ label }) => label === 'cpu portable')!;

describe.skipIf(skip !== undefined)(`20 steps on the CPU${skip ? ` (skipped: ${skip})` : ''}`, () => {
  it.each<Precision>(['fp32', 'bf16'])(
    'in %s end with the same bytes for any number of threads',
    async (precision) => {
      const runs = await temporaryFolder();
      const config = {
        ...tinyDigits,
        model: { width: 48, depth: 1, heads: 3, patchSize: 4 },
        train: { ...tinyDigits.train, steps, batchSize: 13 },
      };
      const checkpoint = async (threads: number): Promise<Record<string, Buffer>> => {
        const { run } = await train(config, { runs, backend: cpuBackend({ threads, precision }) });
        return checkpointBytes(run, steps);
      };
      const one = await checkpoint(1);
      for (const threads of precision === 'fp32' ? [1, 2, 3] : [2])
        expect(await checkpoint(threads)).toEqual(one);
    },
  );
});
