// How a program of the tests becomes a rank, and what it tells.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findLaunch } from '../../../src/distributed/launcher.ts';
import { type MpiCommunicator, connectRanks } from '../../../src/distributed/mpi.ts';

export function joinRanks(): Promise<MpiCommunicator> {
  const launch = findLaunch();
  if (!launch) throw new Error('This program is started by mpirun');
  return connectRanks(launch);
}

/** A short line of standard output: launchers may mix longer ones. */
export function tell(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** What the test gets of this rank. */
export function report(rank: number, value: unknown): void {
  writeFileSync(join(process.env['REPORTS']!, String(rank)), JSON.stringify(value));
}
