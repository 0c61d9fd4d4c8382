import type { ReadKey, Source } from '../../src/data/source.ts';
import { type Shape, sizeOf } from '../../src/tensor/shape.ts';
import { randomValues } from './random.ts';

const shapes: readonly Shape[] = [
  [1, 8, 8],
  [1, 8, 12],
  [1, 12, 12],
];

/** Images of three classes that can be read at three sizes; each at its own, where that is told. */
export function sizedStripes(count: number, of?: (index: number) => number): Source {
  return {
    name: 'sized stripes',
    count,
    shape: shapes[2]!,
    sizes: { shapes, ...(of && { of }) },
    classes: 3,
    isFixed: true,
    read(index, out, offset, { shape = shapes[2]! }) {
      out.set(randomValues(sizeOf(shape), 31 * index + shape[2]!), offset);
      return { label: index % 3 };
    },
  };
}

/** A source, and what was read of it. */
export function describeReadings(source: Source): {
  readonly source: Source;
  readonly read: (ReadKey & { readonly index: number })[];
} {
  const read: (ReadKey & { readonly index: number })[] = [];
  const told: Source = {
    ...source,
    read(index, out, offset, key) {
      read.push({ ...key, index });
      return source.read(index, out, offset, key);
    },
  };
  return { source: told, read };
}
