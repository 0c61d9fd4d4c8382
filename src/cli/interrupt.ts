/**
 * How a process ends that a signal stopped: by the convention of shells 128 + the signal's number, but for SIGUSR1, with which
 * clusters announce that the time is up. Its code is one that nothing else has, so that a script can start the run again.
 */
const exitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143, SIGUSR1: 85 } as const;

/** Lines for the help of commands that save where they stop. */
export const exitCodesHelp = `Exit codes: 0 all steps are done, 1 an error; stopped and saved: 130 by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP, 85 by
SIGUSR1, which clusters send before the time of a job is up (put it back into the queue, to resume).`;

/**
 * Aborts at the first Ctrl-C (SIGINT), SIGTERM, SIGHUP (the terminal was closed) or SIGUSR1. A Ctrl-C after that leaves at
 * once; other signals do not, because terminals and schedulers send several.
 * @param onFirst is called at the first, to say what happens now
 * @param onLeave is called before it leaves
 */
export function interruptible(
  onFirst: () => void,
  onLeave: () => void = () => {},
): { readonly signal: AbortSignal; exitCode(): number } {
  const controller = new AbortController();
  let code = 0;
  for (const name of ['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGUSR1'] as const) {
    process.on(name, () => {
      if (!controller.signal.aborted) {
        code = exitCodes[name];
        controller.abort();
        onFirst();
      } else if (name === 'SIGINT') {
        onLeave();
        process.exit(exitCodes.SIGINT);
      }
    });
  }
  // A file beyond `ulimit -f` must be an error that names it, as on a full disk: this signal would end the process.
  process.on('SIGXFSZ', () => {});
  return { signal: controller.signal, exitCode: () => code };
}
