// `--ranks` of the commands that train: this process starts ranks, each of which is the same command, and shows what they show.
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import type { RunOptions } from '../api/parts.ts';
import { parseHosts, readHostfile } from '../distributed/hosts.ts';
import type { Job, JobEnd } from '../distributed/job.ts';
import { launchRanks } from '../distributed/launch.ts';
import { findLaunch } from '../distributed/launcher.ts';
import { findMpirun } from '../distributed/mpirun.ts';
import { counted } from '../tensor/counted.ts';
import { RectiflowError } from '../tensor/errors.ts';
import { interruptible } from './interrupt.ts';
import { shellWord, shortPath } from './paths.ts';
import { print, printAsItIs, printError } from './print.ts';
import type { RanksOptions } from './ranks-options.ts';

/** See startedRanks of ranks-options.ts. */
export async function startRanks(
  { ranks, restarts = 0, hosts, hostfile, mpiArgs = '' }: RanksOptions & { readonly ranks: number },
  given: Pick<RunOptions, 'acceptData' | 'sendKeysTo'>,
): Promise<boolean> {
  const launch = findLaunch();
  if (launch) {
    if (launch.ranks === undefined || launch.ranks === ranks) return false;
    throw new RectiflowError(
      'ranks',
      `--ranks: is ${ranks}, but ${launch.by} started ${launch.ranks} processes. Leave --ranks out: they find each other.`,
    );
  }
  if (hosts !== undefined && hostfile !== undefined)
    throw new RectiflowError(
      'ranks',
      '--hosts and --hostfile: both name the machines. Leave one of them out.',
    );
  const machines = hostfile === undefined ? hosts && parseHosts(hosts) : await readHostfile(hostfile);
  const mpirun = findMpirun();
  if (!machines && ranks > availableParallelism())
    print(
      `note: ${ranks} ranks share ${counted(availableParallelism(), 'processor')} of this machine: more ranks than processors are slower, not faster.`,
    );
  let run: string | undefined;
  let job: Job | undefined;
  const interrupt = interruptible(
    // Rank 0 says what happens.
    () => {},
    async () => {
      await job?.kill();
      print(
        '',
        `Left at once.${run === undefined ? '' : ` Go on from the last checkpoint with:  ${goOn(run, ranks)}`}`,
      );
    },
  );
  const ownNode = [process.execPath, ...process.execArgv, resolve(process.argv[1]!)];
  const end = await launchRanks({
    mpirun,
    ranks,
    hosts: machines || undefined,
    mpiArguments: mpiArgs.split(/\s+/).filter((argument) => argument !== ''),
    command: (known) => [
      ...ownNode,
      ...(known === undefined ? process.argv.slice(2) : resumeArguments(known, given)),
    ],
    restarts,
    handover: { columns: process.stdout.isTTY ? process.stdout.columns : undefined },
    stop: interrupt.signal,
    onJob: (begun) => (job = begun),
    onOutput: printAsItIs,
    onErrorLine: (line) => printError(line),
    onNotice: (text) => print(`note: ${text}`),
    onRun: (path) => (run = path),
  });
  if (end.sentence !== undefined && !interrupt.signal.aborted) printError(`error: ${end.sentence}`);
  if (end.kind === 'lost' && run !== undefined)
    print(`Go on from the last checkpoint with:  ${goOn(run, ranks)}`);
  process.exitCode = exitCodeOf(end, interrupt.exitCode());
  interrupt.finished();
  return true;
}

function resumeArguments(
  run: string,
  { acceptData, sendKeysTo = [] }: Pick<RunOptions, 'acceptData' | 'sendKeysTo'>,
): string[] {
  const addresses = sendKeysTo.flatMap((address) => ['--send-keys-to', address]);
  return ['resume', run, ...(acceptData ? ['--accept-data'] : []), ...addresses];
}

/** @param stopped the code of the signal that this process got, or 0: the ranks were told by another */
function exitCodeOf({ kind, code }: JobEnd, stopped: number): number {
  const isOver = kind === 'done' || code === 1;
  return stopped === 0 || isOver ? code : stopped;
}

function goOn(run: string, ranks: number): string {
  return `npx rectiflow resume ${shellWord(shortPath(run))} --ranks ${ranks}`;
}
