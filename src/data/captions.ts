import { dataError } from '../tensor/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import { SampleReader } from './sample-reader.ts';
import type { Captions, Source } from './source.ts';

const atOnce = 16;

/**
 * The captions of a set, all of those that have several, in its order; without reading samples where the source can tell them alone.
 * @param reader reads them, and says what happens to those that cannot be read: by default the first of these is an error
 * @param most captions; of a larger set, those of samples all over it
 */
export async function* captionsOf(
  source: Source,
  reader: SampleReader = new SampleReader(source),
  most: number = Infinity,
): AsyncGenerator<string> {
  if (!source.captions) {
    throw dataError(source.name, 'its samples have no captions', 'Choose a set that has them');
  }
  const values = new Float32Array(atOnce * sizeOf(source.shape));
  const captionsAt = async (index: number, slot: number): Promise<Captions> => {
    if (source.caption) return reader.caption(index);
    const offset = slot * sizeOf(source.shape);
    return (await reader.read(index, values, offset, { seed: 0, epoch: 0 })).caption!;
  };
  const count = Math.min(source.count, most);
  for (let first = 0; first < count; first += atOnce) {
    const length = Math.min(atOnce, count - first);
    const captions = Array.from({ length }, (_, i) =>
      captionsAt(Math.floor(((first + i) * source.count) / count), i),
    );
    yield* (await Promise.all(captions)).flat();
  }
}
