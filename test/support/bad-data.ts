import { Sampler } from '../../src/data/sampler.ts';
import type { Source } from '../../src/data/source.ts';

/** The place in the batch of the sample that `spoilt` spoils. */
export const spoiltPlace = 2;

/**
 * A source with a NaN in one sample of some batches, counted from 1 and without end: in that epoch alone.
 * @param batchSize of a run of seed 0
 */
export function spoilt(source: Source, batches: readonly number[], batchSize = 5): Source {
  const sampler = new Sampler({ count: source.count, batchSize, seed: 0 });
  const bad = new Set<string>();
  for (let batch = 1; batch <= Math.max(0, ...batches); batch++) {
    const { indices, epochs } = sampler.next();
    if (batches.includes(batch)) bad.add(`${epochs[spoiltPlace]} ${indices[spoiltPlace]}`);
  }
  return {
    ...source,
    async read(index, out, offset, key) {
      const annotation = await source.read(index, out, offset, key);
      if (bad.has(`${key.epoch} ${index}`)) out[offset + 7] = NaN;
      return annotation;
    },
  };
}
