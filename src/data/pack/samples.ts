import { dataError } from '../../tensor/errors.ts';
import { sizeOf } from '../../tensor/shape.ts';
import type { Annotation, ReadKey, Source } from '../source.ts';

export interface PackedSample extends Annotation {
  readonly index: number;
  readonly values: Float32Array;
}

/** Enough to keep all threads decoding. */
const READS_AHEAD = 16;

/** All samples in their order; a few are read at once. */
export async function* samplesOf(source: Source, key: ReadKey): AsyncGenerator<PackedSample> {
  const size = sizeOf(source.shape);
  const read = async (index: number): Promise<PackedSample> => {
    const values = new Float32Array(size);
    const annotation = await source.read(index, values, 0, key);
    checkAnnotation(annotation, source, index);
    return { index, values, ...annotation };
  };
  const ahead: Promise<PackedSample>[] = [];
  try {
    for (let next = 0; next < source.count || ahead.length > 0;) {
      while (next < source.count && ahead.length < READS_AHEAD) {
        const sample = read(next++);
        // Its turn to be heard of comes later.
        sample.catch(() => {});
        ahead.push(sample);
      }
      yield await ahead.shift()!;
    }
  } finally {
    // Whoever leaves early still waits for what is under way.
    await Promise.allSettled(ahead);
  }
}

function checkAnnotation(
  { label, caption }: Annotation,
  { name, classes, captions }: Source,
  index: number,
): void {
  if (classes !== undefined && !(Number.isInteger(label) && label! >= 0 && label! < classes)) {
    throw dataError(
      name,
      `sample ${index} has label ${label}, outside of [0, ${classes})`,
      'Correct the source',
    );
  }
  if (captions && caption === undefined)
    throw dataError(name, `sample ${index} has no caption`, 'Correct the source');
}
