import { isDeepStrictEqual } from 'node:util';
import type { RunConfig } from './config.ts';

/** Whether two configs make the same numbers, but for precision and micro-batch: they are what the machine has where a run leaves them open. */
export function haveSameSettings(a: RunConfig, b: RunConfig): boolean {
  return isDeepStrictEqual(settingsOf(a), settingsOf(b));
}

/** All that changes results. */
function settingsOf(config: RunConfig): unknown {
  const { train } = config;
  return JSON.parse(
    JSON.stringify({
      ...config,
      backend: undefined,
      train: { ...train, precision: undefined, microBatch: undefined, memoryMiB: undefined },
    }),
  );
}
