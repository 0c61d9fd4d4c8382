// Of the commands that train: options of how many processes do that together.
import type { Command } from 'commander';
import type { RunOptions } from '../api/parts.ts';
import { RectiflowError } from '../tensor/errors.ts';
import { wholeNumber } from './options.ts';

export interface RanksOptions {
  readonly ranks?: number;
  readonly restarts?: number;
  readonly hosts?: string;
  readonly hostfile?: string;
  readonly mpiArgs?: string;
}

export function addRanksOptions(command: Command): Command {
  return command
    .option('--ranks <number>', 'train with so many processes together, started by mpirun', wholeNumber(1))
    .option('--hosts <names>', 'with --ranks: the machines, as in node-1:2,node-2:2; this one by default')
    .option('--hostfile <file>', 'with --ranks: a file with a machine on each line')
    .option(
      '--restarts <number>',
      'with --ranks: how often to start again from the last checkpoint where ranks were lost; 0 by default',
      wholeNumber(0),
    )
    .option('--mpi-args <arguments>', 'with --ranks: more for mpirun, as in "--mca btl_tcp_if_include eth0"');
}

/**
 * Where this process is to start ranks: does so, and sets the exit code.
 * @param given what the command that goes on with a run is given as well
 * @returns whether it did; if not, this process trains: alone, or as one of the ranks
 * @throws RectiflowError where the options do not fit each other or the ranks that were started, or there is no mpirun
 */
export async function startedRanks(
  { ranks, ...options }: RanksOptions,
  given: Pick<RunOptions, 'acceptData' | 'sendKeysTo'>,
): Promise<boolean> {
  if (ranks !== undefined) {
    const { startRanks } = await import('./start-ranks.ts');
    return startRanks({ ranks, ...options }, given);
  }
  const { restarts, hosts, hostfile, mpiArgs } = options;
  for (const [name, value] of Object.entries({ restarts, hosts, hostfile, 'mpi-args': mpiArgs }))
    if (value !== undefined)
      throw new RectiflowError(
        'ranks',
        `--${name}: is for ranks that this command starts. Say how many, with --ranks.`,
      );
  return false;
}
