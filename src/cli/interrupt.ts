/** How a process ends that a signal stopped, by the convention of shells: 128 + the signal's number. */
const exitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Aborts at the first Ctrl-C (SIGINT), SIGTERM or SIGHUP (the terminal was closed); the second leaves at once.
 * @param onFirst is called at the first, to say what happens now
 */
export function interruptible(onFirst: () => void): { readonly signal: AbortSignal; exitCode(): number } {
  const controller = new AbortController();
  let code = 0;
  for (const name of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(exitCodes[name]);
      code = exitCodes[name];
      controller.abort();
      onFirst();
    });
  }
  return { signal: controller.signal, exitCode: () => code };
}
