// Collectives of real ranks, to the bit as ranks of one process do them, which are plain loops.
import { createHash } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { bundle, installed, runRanks } from '../support/mpi.ts';
import { onRanks } from '../support/ranks.ts';
import { arraysOf, cases, ownRanges } from './programs/arrays.ts';

interface Told {
  readonly rank: number;
  readonly ranks: number;
  readonly hosts: readonly string[];
  readonly library: string;
  readonly localRank: number;
  readonly localRanks: number;
  readonly digests: Readonly<Record<string, string>>;
  readonly gathered: readonly number[];
  readonly texts: readonly (readonly [number, number])[];
  readonly nothing: readonly null[];
  readonly traffic: { readonly bytes: number; readonly seconds: number };
}

let program: string;
beforeAll(async () => {
  program = await bundle('exchange');
});

for (const mpi of installed)
  describe.skipIf(mpi.skipped)(`${mpi.kind}${mpi.skipped}`, () => {
    it.each([1, 2, 3, 4, 8])('%i ranks sum and share as ranks of one process do', async (ranks) => {
      const told = await runRanks<Told>(mpi, ranks, [program]);
      const wanted = await expectedDigests(ranks);
      expect(told.map(({ digests }) => digests)).toEqual(wanted);
      expect(told.map(({ rank, localRank }) => [rank, localRank])).toEqual(
        wanted.map((_, rank) => [rank, rank]),
      );
      for (const each of told) {
        expect(each).toMatchObject({ ranks, localRanks: ranks });
        expect(new Set(each.hosts).size).toBe(1);
        expect(each.library).toMatch(mpi.kind === 'openmpi' ? /^Open MPI v?[\d.]+/ : /^MPICH [\d.]+/);
        expect(each.gathered).toEqual(wanted.flatMap((_, rank) => [rank, Math.fround(rank / 3)]));
        expect(each.texts).toEqual(wanted.map((_, rank) => [rank, rank * 300_000]));
        expect(each.nothing).toEqual(wanted.map(() => null));
        expect(each.traffic.bytes > 0).toBe(ranks > 1);
        expect(each.traffic.seconds).toBeGreaterThan(0);
      }
    });
  });

const expected = new Map<number, Promise<Record<string, string>[]>>();

/** By rank; the same for every MPI. */
function expectedDigests(ranks: number): Promise<Record<string, string>[]> {
  const known = expected.get(ranks) ?? computeDigests(ranks);
  expected.set(ranks, known);
  return known;
}

async function computeDigests(ranks: number): Promise<Record<string, string>[]> {
  return onRanks(ranks, async (communicator) => {
    const { rank } = communicator;
    const digests: Record<string, string> = {};
    const all: Float32Array[] = [];
    for (const each of cases) {
      const arrays = arraysOf(each, rank, ranks);
      await communicator.sumRanges(arrays);
      digests[`${each.name}: sum`] = digest(ownRanges(arrays, rank));
      await communicator.shareRanges(arrays);
      digests[`${each.name}: share`] = digest(...arrays.map(({ values }) => values));
      all.push(...arrays.map(({ values }) => values));
      const rounded = arraysOf(each, rank, ranks);
      // Who is alone sends nothing that could be rounded.
      if (ranks > 1) for (const { values } of rounded) values.forEach((x, i) => (values[i] = bfloat16(x)));
      await communicator.sumRanges(rounded);
      digests[`${each.name}: rounded`] = digest(ownRanges(rounded, rank));
    }
    digests['at once'] = digest(...all);
    return digests;
  });
}

/** The nearest number of eight bits, of two as near the even one. */
function bfloat16(x: number): number {
  const unit = 2 ** (Math.floor(Math.log2(Math.abs(x))) - 7);
  if (x === 0) return x;
  const steps = x / unit;
  const below = Math.floor(steps);
  const isTie = steps - below === 0.5;
  return unit * (isTie ? below + (below % 2 === 0 ? 0 : 1) : Math.round(steps));
}

function digest(...arrays: readonly Float32Array[]): string {
  const hash = createHash('sha256');
  for (const { buffer, byteOffset, byteLength } of arrays)
    hash.update(new Uint8Array(buffer, byteOffset, byteLength));
  return hash.digest('hex');
}
