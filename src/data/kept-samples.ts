import { sameShape, sizeOf, type Shape } from '../tensor/shape.ts';
import { shapesOf } from './sample-sizes.ts';
import { toBytes, writeBytes } from './values.ts';
import { membersOf } from './source-view.ts';
import type { Annotation, ReadKey, Source } from './source.ts';

/** Samples that are read at one shape. */
interface Store {
  readonly shape: Shape;
  readonly size: number;
  readonly kept: Uint8Array;
  readonly known: (Annotation | undefined)[];
}

/**
 * Keeps decoded samples in memory, a byte a value, so that a small set is decoded once and not in every epoch. What comes out is
 * bit for bit what the source gives: a sample whose values are no bytes is not kept. Of a set that is read at several shapes, each
 * is kept at all shapes that it is read at.
 * @param bytes the most memory to use: a set that needs more, or whose samples change from epoch to epoch, stays as it is
 */
export function keepSamples(source: Source, bytes: number): Source {
  const { count, sizes } = source;
  const shapes = shapesOf(source);
  const { rows, counts } = sizes?.of ? rowsOf(count, shapes.length, sizes.of) : { counts: undefined };
  const values = shapes.map((shape, i) => sizeOf(shape) * (counts?.[i] ?? count));
  const all = values.reduce((sum, each) => sum + each, 0);
  if (!source.isFixed || all > bytes) return source;
  const stores = shapes.map((shape, i): Store => {
    const known = new Array<undefined>(counts?.[i] ?? count);
    return { shape, size: sizeOf(shape), kept: new Uint8Array(values[i]!), known };
  });
  const storeOf = (index: number, shape: Shape): Store | undefined => {
    const store = sizes?.of ? stores[sizes.of(index)] : stores.find((each) => sameShape(each.shape, shape));
    return store && sameShape(store.shape, shape) ? store : undefined;
  };
  return {
    ...membersOf(source),
    read(index: number, out: Float32Array, offset: number, key: ReadKey) {
      const store = storeOf(index, key.shape ?? source.shape);
      // One that stands in for another, at the other's shape.
      if (store === undefined) return source.read(index, out, offset, key);
      const { size, kept, known } = store;
      const row = rows?.[index] ?? index;
      const annotation = known[row];
      if (annotation) {
        writeBytes(kept.subarray(row * size, (row + 1) * size), out, offset);
        return annotation;
      }
      const keep = (read: Annotation): Annotation => {
        const exact = toBytes(out.subarray(offset, offset + size));
        if (exact) {
          kept.set(exact, row * size);
          known[row] = read;
        }
        return read;
      };
      const read = source.read(index, out, offset, key);
      return read instanceof Promise ? read.then(keep) : keep(read);
    },
  };
}

/** Where each sample is among those of its shape, and how many of each there are. */
function rowsOf(
  count: number,
  shapes: number,
  of: (index: number) => number,
): { readonly rows: Uint32Array; readonly counts: readonly number[] } {
  const counts = Array.from({ length: shapes }, () => 0);
  return { rows: Uint32Array.from({ length: count }, (_, index) => counts[of(index)]!++), counts };
}
