// A rank: a process of those that train together, and what it is to whoever started it.
import { resolve } from 'node:path';
import { findHandover, toldLine } from '../distributed/handover.ts';
import { findLaunch } from '../distributed/launcher.ts';
import { type Output, printError } from './print.ts';

/** Of a rank that `--ranks` has started: tells that there is a run, for which signals are heard and restarts go on with it. */
export function tellRun(folder: string): void {
  if (findHandover()) printError(toldLine({ run: resolve(folder) }));
}

/** Of rank 0: tells with what all ranks end. */
export function tellExitCode(code: number): void {
  if (findHandover() && code !== 0) printError(toldLine({ code }));
}

/** What goes on with a run as it was begun: with as many ranks, where `--ranks` has started them. @param run a shell's word */
export function resumeCommand(run: string): string {
  const ranks = findHandover() && findLaunch()?.ranks;
  return `npx rectiflow resume ${run}${ranks === undefined ? '' : ` --ranks ${ranks}`}`;
}

/**
 * Where progress is shown. A rank's own standard output says nothing of the terminal: Open MPI makes one for each, also where all goes
 * into a file.
 */
export function progressOutput(): Output {
  const { stdout } = process;
  const isRank = findLaunch() !== undefined;
  if (!isRank) return stdout;
  const columns = findHandover()?.columns;
  return {
    write: stdout.write.bind(stdout),
    ...(columns === undefined ? { isTTY: false } : { isTTY: true, columns }),
  };
}

/**
 * Whether this signal means, most likely, that another rank is lost: mpirun says SIGTERM a second before it ends a rank, which saves
 * nothing more then, and where it ends itself there is a SIGHUP. Where somebody else has sent it, that all have saved is told once they
 * have.
 */
export function isFromMpirun(signal: NodeJS.Signals): boolean {
  return (signal === 'SIGTERM' || signal === 'SIGHUP') && findLaunch() !== undefined;
}

/** Of a rank that `--ranks` has started: where that is gone, all ranks save and end, as where a terminal is closed. */
export function endWithLauncher(): void {
  if (findHandover() === undefined || findLaunch()?.rank !== 0) return;
  process.stdin.resume().once('end', () => process.kill(process.pid, 'SIGHUP'));
  process.stdin.unref();
}
