import { dataError } from '../../tensor/errors.ts';
import { sizeOf } from '../../tensor/shape.ts';
import type { BadSamples } from '../../data/bad-samples.ts';
import { checkAnnotation } from '../../data/sample-reader.ts';
import {
  type Annotation,
  type Captions,
  type ReadKey,
  type Source,
  nameOfSample,
} from '../../data/source.ts';

export interface PackedSample extends Omit<Annotation, 'caption'> {
  /** All that are drawn from, of a sample that has several. */
  readonly captions?: Captions;
  /** In the pack, and in the source. */
  readonly index: number;
  readonly place: number;
  readonly values: Float32Array;
}

/** Enough to keep all threads decoding. */
const READS_AHEAD = 16;

/**
 * All samples in their order but for those that are bad; a few are read at once.
 * @throws RectiflowError as `BadSamples.add` does
 */
export async function* samplesOf(
  source: Source,
  key: ReadKey,
  bad: BadSamples,
): AsyncGenerator<PackedSample> {
  const size = sizeOf(source.shape);
  const read = async (place: number): Promise<() => Omit<PackedSample, 'index'> | undefined> => {
    const values = new Float32Array(size);
    try {
      const { caption, ...rest } = checkAnnotation(source, place, await source.read(place, values, 0, key));
      const captions = source.severalCaptions ? await source.caption?.(place) : caption;
      const value = values.find((one) => !Number.isFinite(one));
      if (value !== undefined)
        throw dataError(nameOfSample(source, place), `holds the value ${value}`, 'Values must be finite');
      return () => ({ place, values, ...rest, ...(captions !== undefined && { captions }) });
    } catch (error) {
      // Heard of in its turn: what is left out, and where that is too much, must not depend on which read ends first.
      return () => {
        if (!bad.has(place)) bad.add(place, error, place + 1);
        return undefined;
      };
    }
  };
  const ahead: ReturnType<typeof read>[] = [];
  let index = 0;
  try {
    for (let next = 0; next < source.count || ahead.length > 0;) {
      while (next < source.count && ahead.length < READS_AHEAD) ahead.push(read(next++));
      const sample = (await ahead.shift()!)();
      if (sample !== undefined) yield { index: index++, ...sample };
    }
  } finally {
    // Whoever leaves early still waits for what is under way.
    await Promise.allSettled(ahead);
  }
}
