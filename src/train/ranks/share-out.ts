// Work beside the steps that ranks share out: each does some of the jobs, and all get what all have made.
import { type ErrorCode, RectiflowError } from '../../tensor/errors.ts';
import { type Communicator, nameOfRank } from './communicator.ts';

/** The numbers that jobs make, one job's after the other's. */
export interface Results {
  readonly values: Float32Array;
  /** Where those of a job begin; of the job after the last one, where they end. */
  readonly startOf: (job: number) => number;
}

/**
 * Does all of the jobs, in one process one after the other. All ranks call it.
 * @param results what they make, whole on every rank when this settles @param work does one: writes its numbers into the results
 * @throws what a job throws, on all ranks
 */
export async function shareOut(
  communicator: Communicator | undefined,
  jobs: number,
  results: readonly Results[],
  work: (job: number) => Promise<void>,
): Promise<void> {
  const { rank, ranks } = communicator ?? { rank: 0, ranks: 1 };
  const firstOf = (each: number): number => Math.ceil((each * jobs) / ranks);
  await together(communicator, async () => {
    for (let job = firstOf(rank); job < firstOf(rank + 1); job++) await work(job);
  });
  const cuts = Array.from({ length: ranks + 1 }, (_, each) => firstOf(each));
  await communicator?.shareRanges(
    results.map(({ values, startOf }) => ({ values, cuts: cuts.map(startOf) })),
  );
}

/** What went wrong on a rank, as the others are told. */
interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
}

/**
 * Does what may fail on one rank alone. It fails on all of them then, so that none waits for another.
 * @throws what `part` throws here; else the error of the first rank whose part failed
 */
export async function together<T>(
  communicator: Communicator | undefined,
  part: () => Promise<T>,
): Promise<T> {
  if (communicator === undefined) return part();
  const [own] = await Promise.allSettled([part()]);
  const failure = own.status === 'rejected' ? describe(own.reason, communicator) : null;
  const all = await communicator.gatherJson<Failure | null>(failure);
  if (own.status === 'rejected') throw own.reason;
  const first = all.find((each) => each !== null);
  if (first) throw new RectiflowError(first.code, first.message);
  return own.value;
}

/** An error of this library names what it is about; of any other the rank says where to look. */
function describe(error: unknown, communicator: Communicator): Failure {
  if (error instanceof RectiflowError) return { code: error.code, message: error.message };
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'internal', message: `${nameOfRank(communicator, communicator.rank)}: ${message}` };
}
