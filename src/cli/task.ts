// A command that takes a while: Ctrl-C stops it, and a terminal shows how far it is.
import { interruptible, tidyMs } from './interrupt.ts';
import { printError, redraw } from './print.ts';

export interface Task {
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
  onNotice(text: string): void;
  /** Shows a text in place of the one before it, on a terminal; files and pipes get none. */
  show(text: string): void;
  /** Takes that text away: what is printed next has the line for itself. */
  clear(): void;
}

/** A terminal that is written to for every sample would slow them. */
const redrawIntervalMs = 50;

/** Runs `work`. Where Ctrl-C stopped it, no error is told, but the exit code says so. */
export async function runTask(work: (task: Task) => Promise<void>): Promise<void> {
  const interrupt = interruptible(
    () => {},
    undefined,
    () => tidyMs,
  );
  const { stderr } = process;
  let shown = -Infinity;
  const clear = (): void => {
    if (shown > -Infinity) redraw(stderr);
    shown = -Infinity;
  };
  try {
    await work({
      signal: interrupt.signal,
      onNotice(text) {
        clear();
        printError(`note: ${text}`);
      },
      show(text) {
        if (!stderr.isTTY || performance.now() - shown < redrawIntervalMs) return;
        redraw(stderr, text);
        shown = performance.now();
      },
      clear,
    });
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    process.exitCode = interrupt.exitCode();
  } finally {
    clear();
    interrupt.finished();
  }
}
