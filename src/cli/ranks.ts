// Commands that many processes may do together: each finds the others, and one speaks for all.
import type { MpiCommunicator } from '../distributed/mpi.ts';
import { findLaunch } from '../distributed/launcher.ts';
import { nameOfRank } from '../train/ranks/communicator.ts';
import { printError } from './print.ts';

/** Milliseconds in which another rank may tell of an error that all of them have alike: a little more for each, so that one is first. */
const patience = { first: 300, each: 30, most: 1000 };

/**
 * Does something on all ranks that were started with this process, or alone where there are none. What fails on one ends on all, and is
 * told once.
 */
export async function withRanks(use: (communicator?: MpiCommunicator) => Promise<void>): Promise<void> {
  const launch = findLaunch();
  if (launch === undefined) return use();
  const { connectRanks } = await import('../distributed/mpi.ts');
  const communicator = await connectRanks(launch);
  try {
    await use(communicator);
  } catch (error) {
    if (communicator.isToldElsewhere(error)) {
      process.exitCode = 1;
      return;
    }
    const message = error instanceof Error ? error.message : String(error);
    if (await othersTell(communicator, message)) {
      process.exitCode = 1;
      return;
    }
    communicator.fail(message);
    if (communicator.rank > 0 && error instanceof Error)
      error.message = `${nameOfRank(communicator, communicator.rank)}: ${message}`;
    throw error;
  } finally {
    await communicator.close();
  }
}

/**
 * Of ranks that were started for a command that one process does, the first does it, and the others leave.
 * @param command its name
 */
export function leaveToFirst(command: string): void {
  const { rank, ranks = 1, by } = findLaunch() ?? {};
  if (rank === undefined || ranks === 1) return;
  if (rank > 0) process.exit(0);
  printError(
    `note: one process does "${command}": of the ${ranks} that ${by} started, the others have nothing to do.`,
  );
}

/** Whether an error is told by another rank that has it, too; rank 0 does not wait for that. */
async function othersTell({ rank, failure }: MpiCommunicator, message: string): Promise<boolean> {
  const told = (): boolean => failure.aborted && (failure.reason as Error).message.endsWith(message);
  if (rank === 0 || failure.aborted) return told();
  const most = Math.min(patience.most, patience.first + patience.each * rank);
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, most);
    failure.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });
  return told();
}
