// What starts the ranks of rectiflow: the mpirun of an MPI that it is built with.
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { type MpiKind, builtMpi, mpiNames } from 'rectiflow';

export interface Mpi {
  /** Whose launcher it is, and its version. */
  readonly version: string;
  /** @returns a command that runs so many of the given one, the first of which has its standard input and output */
  commandOf(ranks: number, command: Command): Command;
}

export type Command = readonly [program: string, ...args: string[]];

interface Launcher {
  readonly program: string;
  readonly kind: MpiKind;
  readonly version: string;
}

/** Where two kinds of MPI are installed, mpirun is one of them. */
const programs = ['mpirun', 'mpirun.openmpi', 'mpirun.mpich'];

/** Undefined where ranks cannot be started; the reason is on the terminal then. */
export function findMpi(): Mpi | undefined {
  const there = programs.flatMap((program) => {
    const { status, stdout } = spawnSync(program, ['--version'], { encoding: 'utf8' });
    return status === 0 ? [launcherOf(program, stdout)] : [];
  });
  const built = builtMpi();
  const launcher = there.find(({ kind }) => built.includes(kind));
  if (launcher) return tried(mpiOf(launcher, availableParallelism()));
  const names = (kinds: readonly MpiKind[]): string =>
    kinds.length === 0 ? 'none' : [...new Set(kinds)].map((kind) => mpiNames[kind]).join(' and ');
  console.error(
    `Ranks of rectiflow are left out: MPI that can start processes: ${names(there.map(({ kind }) => kind))}; that rectiflow is ` +
      `built with: ${names(built)}. Install Open MPI or MPICH, then run "node scripts/build-native.mjs --mpi".`,
  );
  return undefined;
}

/** It may be there and start nothing, as for root; its reasons are on the terminal then. */
function tried(mpi: Mpi): Mpi | undefined {
  const [program, ...args] = mpi.commandOf(2, [process.execPath, '--version']);
  const { status } = spawnSync(program, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status === 0) return mpi;
  console.error(`Ranks of rectiflow are left out: ${program} started none`);
  return undefined;
}

/** @param told what it says when it is asked for its version */
export function launcherOf(program: string, told: string): Launcher {
  const kind = told.includes('Open MPI') ? 'openmpi' : 'mpich';
  return { program, kind, version: /\d+(\.\d+)+/.exec(told)?.[0] ?? 'of an unknown version' };
}

/** @param cores of the machine */
export function mpiOf({ program, kind, version }: Launcher, cores: number): Mpi {
  return {
    version: `${mpiNames[kind]} ${version}`,
    commandOf: (ranks, command) => {
      // Its ranks may be on any core, as those of PyTorch are: it would keep each, with all of its threads, on one.
      const ofOpen = ['--bind-to', 'none', ...(ranks > cores ? ['--oversubscribe'] : [])];
      return [program, '-n', String(ranks), ...(kind === 'openmpi' ? ofOpen : []), ...command];
    },
  };
}
