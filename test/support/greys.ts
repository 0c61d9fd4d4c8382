import { arraySource } from '../../src/sources/arrays.ts';
import type { Source } from '../../src/data/source.ts';

/** Pictures of 8x12, each of its own grey, one of twelve, in three classes: learnt in no time. */
export function greys(count = 12): Source {
  return arraySource({
    name: 'greys',
    images: Float32Array.from({ length: count * 96 }, (_, i) => (Math.floor(i / 96) % 12) / 6 - 1),
    shape: [1, 8, 12],
    labels: Array.from({ length: count }, (_, i) => i % 3),
  });
}

/**
 * A source whose samples go through `change`, which may do what a source of its own must not.
 * @param change gets the values of a sample, how many were read before it, and its index
 */
export function changed(
  source: Source,
  change: (values: Float32Array, read: number, index: number) => void | Promise<void>,
): Source {
  let count = 0;
  return {
    ...source,
    isFixed: false,
    async read(index, out, offset, key) {
      const annotation = await source.read(index, out, offset, key);
      await change(out.subarray(offset, offset + 96), count++, index);
      return annotation;
    },
  };
}

/** In place: [-1, 1] to [0, 255]. */
export function toBytes(values: Float32Array): void {
  values.forEach((value, i) => (values[i] = 127.5 * (value + 1)));
}
