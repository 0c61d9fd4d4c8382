// When a run is to stop: at once where it is asked to, or, of several ranks, after the step that all of them know it by.
import type { PreparedTraining } from '../prepare.ts';

export interface StopSignal {
  /** Whether no further step is to be begun. Of ranks, the same on all of them. */
  readonly isDue: boolean;
  /** What may be left off half-done; undefined of ranks, which wait for each other. */
  readonly signal: AbortSignal | undefined;
  /** The signal is heard no more. */
  end(): void;
}

/** @param asked of this process alone */
export function stopSignal(
  { exchange }: Pick<PreparedTraining, 'exchange'>,
  asked: AbortSignal | undefined,
): StopSignal {
  if (exchange === undefined) {
    return {
      get isDue() {
        return asked?.aborted === true;
      },
      signal: asked,
      end() {},
    };
  }
  const ask = (): void => exchange.askToStop();
  if (asked?.aborted) ask();
  asked?.addEventListener('abort', ask, { once: true });
  return {
    get isDue() {
      return exchange.stopAgreed;
    },
    signal: undefined,
    end: () => asked?.removeEventListener('abort', ask),
  };
}
