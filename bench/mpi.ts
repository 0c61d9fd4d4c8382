// What starts the ranks of rectiflow: the mpirun of an MPI that it is built with, as `rectiflow train --ranks` asks it to.
import { spawnSync } from 'node:child_process';
import { findMpirun, findPatience, mpiNames, mpirunArguments, mpirunEnvironment } from 'rectiflow';
import { Contestant } from './contestant.ts';

export interface Mpi {
  /** Whose launcher it is, and its version. */
  readonly version: string;
  /** Starts so many of a process, the first of which takes turns for all. */
  start(ranks: number, command: string, args: readonly string[]): Promise<Contestant>;
}

/** Undefined where ranks cannot be started; the reason is on the terminal then. */
export function findMpi(): Mpi | undefined {
  try {
    const { kind, program } = findMpirun();
    const told = spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout;
    return {
      version: `${mpiNames[kind]} ${/\d+(\.\d+)+/.exec(told)?.[0] ?? 'of an unknown version'}`,
      start: (ranks, command, args) =>
        Contestant.start(
          program,
          [...mpirunArguments(kind, { ranks }, [], findPatience()), command, ...args],
          mpirunEnvironment(process.getuid?.() === 0),
        ),
    };
  } catch (error) {
    console.error(`Ranks of rectiflow are left out: ${(error as Error).message}`);
    return undefined;
  }
}
