import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { RectiflowError } from '../tensor/errors.ts';
import type { Source } from '../data/source.ts';

/** What tells whether two sets of data are the same to a model. */
export interface DataDigest {
  /** Of the facts of the set and of what its samples hold once they are read; paths do not count. */
  readonly sha256: string;
  /** How many samples there are, and how many of them, spread evenly, the digest is of. */
  readonly count: number;
  readonly digested: number;
}

export interface DigestOptions {
  /** Of what random transforms draw. */
  readonly seed: number;
  /** So many samples at most; 10,000 by default. */
  readonly most?: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** Read at a time. */
const AT_ONCE = 8;

/**
 * A digest of data as a training reads them in its first epoch: values, labels and captions. A sample that cannot be read
 * counts as one that cannot.
 */
export async function digestSource(source: Source, options: DigestOptions): Promise<DataDigest> {
  const { most = 10_000, signal, onProgress } = options;
  const { count, shape, classes, classNames, record } = source;
  const digested = Math.min(count, most);
  const hash = createHash('sha256').update(JSON.stringify({ count, shape, classes, classNames, record }));
  for (let done = 0; done < digested; done += AT_ONCE) {
    signal?.throwIfAborted();
    const places = Array.from({ length: Math.min(AT_ONCE, digested - done) }, (_, i) => done + i);
    const indices = places.map((place) => Math.floor((place * count) / digested));
    for (const part of await Promise.all(indices.map((index) => contentOf(source, index, options.seed)))) {
      hash.update(part);
    }
    onProgress?.(Math.min(done + AT_ONCE, digested), digested);
    // Sources in memory answer at once: without this nobody would hear Ctrl-C.
    await setImmediate();
  }
  return { sha256: hash.digest('hex'), count, digested };
}

async function contentOf(source: Source, index: number, seed: number): Promise<Uint8Array> {
  const values = new Float32Array(source.shape.reduce((product, axis) => product * axis, 1));
  try {
    const { label, caption } = await source.read(index, values, 0, { seed, epoch: 0 });
    return Buffer.concat([Buffer.from(values.buffer), Buffer.from(JSON.stringify({ label, caption }))]);
  } catch (error) {
    if (!(error instanceof RectiflowError) || error.code === 'internal') throw error;
    return Buffer.from('unreadable');
  }
}
