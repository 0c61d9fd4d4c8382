import { sizeOf } from '../tensor/shape.ts';
import { toBytes, writeBytes } from './values.ts';
import { membersOf } from './source-view.ts';
import type { Annotation, ReadKey, Source } from './source.ts';

/**
 * Keeps decoded samples in memory, a byte a value, so that a small set is decoded once and not in every epoch. What comes out is
 * bit for bit what the source gives: a sample whose values are no bytes is not kept.
 * @param bytes the most memory to use: a set that needs more, or whose samples change from epoch to epoch, stays as it is
 */
export function keepSamples(source: Source, bytes: number): Source {
  const size = sizeOf(source.shape);
  if (!source.isFixed || source.count * size > bytes) return source;
  const kept = new Uint8Array(source.count * size);
  const known: (Annotation | undefined)[] = new Array<undefined>(source.count);
  const keep = (index: number, values: Float32Array, annotation: Annotation): Annotation => {
    const exact = toBytes(values);
    if (exact) {
      kept.set(exact, index * size);
      known[index] = annotation;
    }
    return annotation;
  };
  return {
    ...membersOf(source),
    read(index: number, out: Float32Array, offset: number, key: ReadKey) {
      const annotation = known[index];
      if (annotation) {
        writeBytes(kept.subarray(index * size, (index + 1) * size), out, offset);
        return annotation;
      }
      const finish = (read: Annotation): Annotation => keep(index, out.subarray(offset, offset + size), read);
      const read = source.read(index, out, offset, key);
      return read instanceof Promise ? read.then(finish) : finish(read);
    },
  };
}
