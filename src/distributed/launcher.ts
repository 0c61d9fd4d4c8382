// How this process was started: alone, or as one of many ranks, and by which MPI's launcher. The environment tells.
import { RectiflowError, valueError } from '../tensor/errors.ts';
import { type MpiKind, builtMpi, mpiKinds, mpiNames } from './native.ts';

/** A start of many processes that are to train together. */
export interface Launch {
  /** What started them, as in a sentence. */
  readonly by: string;
  /** The MPI they reach each other by. */
  readonly mpi: MpiKind;
  /** This one's, where the launcher says so: for what is to be told once, before the ranks know each other. */
  readonly rank: number | undefined;
  /** How many there are, where the launcher says so. */
  readonly ranks: number | undefined;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * @param environment that of the process
 * @param built the kinds of MPI that this package was built with: where the launcher serves both, one that is there is taken
 * @returns undefined where this process was started alone
 * @throws RectiflowError where Slurm has started ranks that cannot find each other, or RECTIFLOW_MPI names no MPI
 */
export function findLaunch(
  environment: Environment = process.env,
  built: readonly MpiKind[] = builtMpi(),
): Launch | undefined {
  const chosen = chosenMpi(environment);
  const found = recognise(environment, built);
  return found && { ...found, mpi: chosen ?? found.mpi };
}

function recognise(environment: Environment, built: readonly MpiKind[]): Launch | undefined {
  const number = (name: string): number | undefined => {
    const text = environment[name];
    return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
  };
  const eitherOf = (first: MpiKind): MpiKind => (built.length === 1 ? built[0]! : first);
  const inSlurm = environment['SLURM_STEP_ID'] !== undefined;

  const openRanks = number('OMPI_COMM_WORLD_SIZE');
  if (openRanks !== undefined)
    return {
      by: "Open MPI's mpirun",
      mpi: 'openmpi',
      rank: number('OMPI_COMM_WORLD_RANK'),
      ranks: openRanks,
    };
  // MPICH's launcher, those of its kin, and Slurm's pmi2, which Open MPI may know as well.
  const pmiRanks = number('PMI_SIZE');
  if (pmiRanks !== undefined)
    return {
      by: inSlurm ? 'srun --mpi=pmi2' : "MPICH's mpirun",
      mpi: inSlurm ? eitherOf('mpich') : 'mpich',
      rank: number('PMI_RANK'),
      ranks: pmiRanks,
    };
  const pmixRank = number('PMIX_RANK');
  const slurmRanks = inSlurm ? (number('SLURM_STEP_NUM_TASKS') ?? number('SLURM_NTASKS')) : undefined;
  if (pmixRank !== undefined)
    return {
      by: inSlurm ? 'srun --mpi=pmix' : 'a launcher that speaks PMIx',
      mpi: eitherOf('openmpi'),
      rank: pmixRank,
      ranks: slurmRanks,
    };
  if (slurmRanks !== undefined && slurmRanks > 1 && environment['SLURM_PROCID'] !== undefined)
    throw new RectiflowError('ranks', [
      `ranks: srun started ${slurmRanks} processes of rectiflow without MPI, so that none would know of the others.`,
      'Start them with "srun --mpi=pmix ..." (Open MPI) or "srun --mpi=pmi2 ..." (MPICH); "srun --mpi=list" tells what there is. ' +
        'To train in one process, ask for one task: "srun --ntasks 1 ...".',
    ]);
  return undefined;
}

/** @returns what RECTIFLOW_MPI names @throws RectiflowError where it names no MPI */
export function chosenMpi(environment: Environment): MpiKind | undefined {
  const name = environment['RECTIFLOW_MPI'];
  if (name === undefined || name === '') return undefined;
  const kind = mpiKinds.find((each) => each === name);
  if (kind === undefined)
    throw valueError(
      'ranks',
      'RECTIFLOW_MPI in the environment',
      mpiKinds.map((each) => `${each} (${mpiNames[each]})`).join(' or '),
      name,
    );
  return kind;
}

/** In seconds; how long a rank may not be heard of before it is given up. Slow networks may need more than others. */
const defaultPatience = 10;

/** @returns milliseconds @throws RectiflowError where RECTIFLOW_PATIENCE is no number of seconds */
export function findPatience(environment: Environment = process.env): number {
  const text = environment['RECTIFLOW_PATIENCE'];
  if (text === undefined || text === '') return 1000 * defaultPatience;
  const seconds = Number(text);
  if (!(seconds >= 0.5 && seconds <= 86_400))
    throw valueError(
      'ranks',
      'RECTIFLOW_PATIENCE in the environment',
      'a number of seconds from 0.5 to 86400',
      text,
    );
  return Math.round(1000 * seconds);
}
