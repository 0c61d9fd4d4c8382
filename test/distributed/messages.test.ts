import { beforeAll, describe, expect, it } from 'vitest';
import { bundle, installed, runRanks } from '../support/mpi.ts';

interface Told {
  /** By the rank it is from. */
  readonly got: Readonly<Record<string, readonly number[]>>;
  readonly early: readonly { readonly from: number }[];
}

let program: string;
beforeAll(async () => {
  program = await bundle('messages');
});

for (const mpi of installed)
  describe.skipIf(mpi.skipped)(`${mpi.kind}${mpi.skipped}`, () => {
    it.each([1, 2, 4])(
      'between %i ranks messages arrive in order while a collective waits',
      async (ranks) => {
        const told = await runRanks<Told>(mpi, ranks, [program]);
        const inOrder = Array.from({ length: 300 }, (_, i) => i);
        const fromAll = Object.fromEntries(Array.from({ length: ranks }, (_, from) => [from, inOrder]));
        expect(told.map(({ got }) => got)).toEqual(Array.from({ length: ranks }, () => fromAll));
        const early = told.map((each) => each.early.map(({ from }) => from).toSorted());
        expect(early).toEqual(told.map((_, rank) => (rank === 0 ? [...told.keys()] : [])));
      },
    );
  });
