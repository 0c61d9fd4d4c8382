// The ranks of bench:ranks are started as it starts them, with an input that ends at once.
import { beforeAll, describe, expect, it } from 'vitest';
import type { RankSpecification } from '../../bench/ranks-child.ts';
import { testBackends } from '../support/backends.ts';
import { bundle, installed, startRanks } from '../support/mpi.ts';

const { skip } = testBackends().find(({ label }) => label === 'cpu portable')!;
const kernels = skip === undefined ? '' : ` (skipped: ${skip})`;

let program: string;
beforeAll(async () => {
  program = await bundle('ranks-child', 'bench');
});

function specification(ranks: number, name = 'small'): string {
  const told: RankSpecification = { name, ranks, shards: 8, options: { precision: 'fp32', threads: 1 } };
  return JSON.stringify(told);
}

for (const mpi of installed) {
  const why = mpi.skipped || kernels;
  describe.skipIf(why)(`${mpi.kind}${why}`, () => {
    it('ranks take a step together, of which the first one alone tells, and end with its input', async () => {
      const { code, stdout, stderr } = await startRanks(mpi, 2, [program, specification(2)]).ended;
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      const lines = stdout.trim().split('\n');
      expect(lines).toHaveLength(1);
      const { loss, parameters } = JSON.parse(lines[0]!) as { loss: number; parameters: number };
      // 1 + mean(x0^2), but for the luck of the draw.
      expect(Math.abs(loss - 4 / 3)).toBeLessThan(0.15);
      expect(parameters).toBeGreaterThan(100_000);
    });

    it('ranks that cannot share out the samples say why, and end', async () => {
      const { code, stdout, stderr } = await startRanks(mpi, 3, [program, specification(3)]).ended;
      expect(code).not.toBe(0);
      // MPICH's mpirun has words of its own there.
      expect(stdout).not.toContain('"loss"');
      expect(stderr).toContain('train.batchSize: wanted a multiple of the 3 ranks');
    });
  });
}
