// Which program starts ranks here, and how it is asked to.
import { spawnSync } from 'node:child_process';
import { RectiflowError } from '../tensor/errors.ts';
import { type Host, placeRanks } from './hosts.ts';
import { chosenMpi } from './launcher.ts';
import { type MpiKind, adviceToInstall, builtMpi, mpiKinds, mpiNames } from './native.ts';

export interface Mpirun {
  readonly kind: MpiKind;
  /** A program in the PATH. */
  readonly program: string;
}

const programs: Readonly<Record<MpiKind, readonly string[]>> = {
  openmpi: ['mpirun.openmpi', 'mpirun', 'orterun'],
  mpich: ['mpirun.mpich', 'mpiexec.hydra', 'mpirun'],
};

/** How each of them names itself. */
const versions: Readonly<Record<MpiKind, RegExp>> = {
  openmpi: /Open ?MPI|OpenRTE|Open RTE|PRRTE/i,
  mpich: /HYDRA|MPICH|Intel\(R\) MPI|MVAPICH/i,
};

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The launcher of an MPI that this package was built with; RECTIFLOW_MPI in the environment chooses which.
 * @throws RectiflowError where there is none, or it is another MPI's: with what to install
 */
export function findMpirun(
  environment: Environment = process.env,
  built: readonly MpiKind[] = builtMpi(),
): Mpirun {
  const chosen = chosenMpi(environment);
  const wanted = (chosen ? [chosen] : mpiKinds).filter((kind) => built.includes(kind));
  for (const kind of wanted) {
    const program = programs[kind].find((name) => kindOf(name, environment) === kind);
    if (program !== undefined) return { kind, program };
  }
  const kind = chosen ?? wanted[0] ?? mpiKinds[0];
  const there = mpiKinds.filter((each) => programs[each].some((name) => kindOf(name, environment) === each));
  throw new RectiflowError('ranks', [
    wanted.length > 0
      ? `--ranks: no mpirun of ${mpiNames[kind]}, which rectiflow was built with, was found in the PATH.`
      : `--ranks: ranks are started by ${chosen ? mpiNames[kind] : 'MPI'}, which rectiflow was built without` +
        `${there.length > 0 ? `; ${there.map((each) => mpiNames[each]).join(' and ')} can be started here` : ''}.`,
    adviceToInstall(chosen ?? wanted[0] ?? there[0] ?? kind),
  ]);
}

function kindOf(program: string, environment: Environment): MpiKind | undefined {
  const { status, stdout } = spawnSync(program, ['--version'], {
    encoding: 'utf8',
    env: { ...environment },
    timeout: 10_000,
  });
  return status === 0 ? mpiKinds.find((kind) => versions[kind].test(stdout)) : undefined;
}

/** Warnings of Open MPI that a network which it was built for is not there. */
const quiet = ['mca_base_component_show_load_errors', 'btl_base_warn_component_unused'];

export interface Placement {
  readonly ranks: number;
  /** This machine, or those of a cluster's job, where there are none. */
  readonly hosts?: readonly Host[] | undefined;
  /** Options for mpirun itself, beside ours. */
  readonly mpiArguments?: readonly string[];
}

/**
 * Open MPI's processes on other machines look after each other only every five minutes, and wait for one that is cut off much longer once
 * there is something to tell it. They have to know before the ranks do.
 * @param patience of the ranks, in milliseconds
 */
function keepAlive(patience: number): Record<string, string> {
  const seconds = Math.floor(patience / 1000);
  const probes = Math.min(3, Math.max(1, Math.floor(seconds / 3)));
  const interval = Math.max(1, Math.floor(seconds / (2 * probes + 2)));
  const time = Math.max(1, seconds - interval * probes - 1);
  return {
    oob_tcp_keepalive_time: String(time),
    oob_tcp_keepalive_intvl: String(interval),
    oob_tcp_keepalive_probes: String(probes),
  };
}

/**
 * What mpirun is given before the program that each rank runs. Threads are divided by the ranks themselves, which mpirun must not
 * bind to a core each.
 * @param passed names of variables that ranks of other machines get as well
 * @param patience of the ranks, in milliseconds
 */
export function mpirunArguments(
  kind: MpiKind,
  { ranks, hosts, mpiArguments = [] }: Placement,
  passed: readonly string[],
  patience: number,
): string[] {
  const placed = hosts && placeRanks(hosts, ranks).map(({ name, ranks: own }) => `${name}:${own}`);
  const count = ['-n', String(ranks)];
  if (kind === 'mpich')
    return [...count, '-bind-to', 'none', ...(placed ? ['-hosts', placed.join(',')] : []), ...mpiArguments];
  return [
    ...count,
    // There may be more ranks than cores: that is slow, and no error.
    '--bind-to',
    'none',
    '--oversubscribe',
    ...quiet.flatMap((name) => ['--mca', name, '0']),
    ...Object.entries(keepAlive(patience)).flatMap(([name, value]) => ['--mca', name, value]),
    ...(placed ? ['--host', placed.join(',')] : []),
    ...passed.flatMap((name) => ['-x', name]),
    ...mpiArguments,
  ];
}

/** Open MPI refuses root without these: containers have no one else. */
export function mpirunEnvironment(isRoot: boolean): Record<string, string> {
  return isRoot ? { OMPI_ALLOW_RUN_AS_ROOT: '1', OMPI_ALLOW_RUN_AS_ROOT_CONFIRM: '1' } : {};
}
