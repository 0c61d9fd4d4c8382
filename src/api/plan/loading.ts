// How many samples a second can be read, beside nothing else.
import type { RunConfig } from '../../config/config.ts';
import { Loader } from '../../data/loader.ts';
import type { Source } from '../../data/source.ts';

/** Samples per second, of the beginning of an epoch. @param options with the time to read for; one batch is read in any case */
export async function timeLoading(
  source: Source,
  { loader: settings, seed, train }: RunConfig,
  { seconds, signal }: { readonly seconds: number; readonly signal?: AbortSignal | undefined },
): Promise<number> {
  const batchSize = Math.min(train.batchSize, 64, source.count);
  const loader = new Loader(source, { ...settings, batchSize, seed });
  try {
    // The first pays for what is loaded once.
    await loader.next();
    const began = performance.now();
    let [read, passed] = [0, 0];
    do {
      await loader.next();
      signal?.throwIfAborted();
      read += batchSize;
      passed = (performance.now() - began) / 1000;
    } while (passed < seconds);
    return read / passed;
  } finally {
    loader.close();
  }
}
