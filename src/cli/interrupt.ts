import { constants } from 'node:os';
import { type Native, loadNative } from '../backends/cpu/native.ts';

/**
 * How a process ends that a signal stopped: by the convention of shells 128 + the signal's number, but for SIGUSR1, with which
 * clusters announce that the time is up. Its code is one that nothing else has, so that a script can start the run again.
 */
const exitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143, SIGUSR1: 85 } as const;

/** Of a run that was asked to stop: it is what Ctrl-C is where it trains. */
export const askedToStop: number = exitCodes.SIGINT;

/** Lines for the help of commands that save where they stop. */
export const exitCodesHelp = `Exit codes: 0 all steps are done, 1 an error; stopped and saved: 130 by Ctrl-C or steer --stop, 143 by SIGTERM, 129
by SIGHUP, 85 by SIGUSR1, which clusters send before the time of a job is up (put it back into the queue, to resume); 75 ranks were lost: a
process, a machine or the network (resume, from the last checkpoint).`;

/** How long JavaScript may be too busy to hear a signal, and a second one, before the process is ended without it. */
const patienceMs = 3000;
const patienceAgainMs = 500;

/** Long enough to remove what a stopped command had begun to write. */
export const tidyMs = 5000;
/** How long what was begun, and is not waited for, may keep a process whose work is done or was stopped. */
const lingerMs = 1000;

export interface Interrupt {
  readonly signal: AbortSignal;
  /** 0 where no signal came. */
  exitCode(): number;
  /** There is nothing left to do: after a signal the process ends soon, whatever is still under way. */
  finished(): void;
}

/**
 * Aborts at the first Ctrl-C (SIGINT), SIGTERM, SIGHUP (the terminal was closed) or SIGUSR1. A Ctrl-C after that leaves at
 * once; other signals do not, because terminals and schedulers send several. Where JavaScript cannot hear a signal, because a
 * computation does not end, the native addon ends the process in a few seconds.
 * @param onFirst is called at the first, to say what happens now
 * @param onLeave is called before it leaves, and waited for; one more Ctrl-C does not wait
 * @param mostMs is asked at the first: to finish in; then it leaves too
 */
export function interruptible(
  onFirst: (signal: NodeJS.Signals) => void,
  onLeave: () => void | Promise<void> = () => {},
  mostMs: () => number = () => Infinity,
): Interrupt {
  const controller = new AbortController();
  const native = nativeOrNone();
  let code = 0;
  let isLeaving = false;
  const leave = (): never => (native ? native.leave(code) : process.exit(code));
  // Of a timer that keeps no process: it comes to that only where something else does, such as a read that never ends.
  const leaveAfter = (milliseconds: number): void => void setTimeout(leave, milliseconds).unref();
  for (const name of ['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGUSR1'] as const) {
    process.on(name, () => {
      native?.hearSignals();
      if (!controller.signal.aborted) {
        code = exitCodes[name];
        controller.abort();
        onFirst(name);
        const most = mostMs();
        if (most < Infinity) leaveAfter(most);
      } else if (name === 'SIGINT') {
        code = exitCodes.SIGINT;
        const left = isLeaving ? undefined : onLeave();
        isLeaving = true;
        if (left) void left.finally(leave);
        else leave();
      }
    });
    native?.guardSignal(constants.signals[name], exitCodes[name], patienceMs, patienceAgainMs);
  }
  // A file beyond `ulimit -f` must be an error that names it, as on a full disk: this signal would end the process.
  process.on('SIGXFSZ', () => {});
  return {
    signal: controller.signal,
    exitCode: () => code,
    finished: () => {
      if (controller.signal.aborted) leaveAfter(lingerMs);
    },
  };
}

/** Where it is not built a signal ends the process as soon as JavaScript hears it. */
function nativeOrNone(): Native | undefined {
  try {
    const native = loadNative();
    return 'guardSignal' in native ? native : undefined;
  } catch {
    return undefined;
  }
}
