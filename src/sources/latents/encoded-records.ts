// From a source to what is kept of each of its samples once it is encoded.
import { bytesOf } from '../../formats/safetensors.ts';
import type { BadSamples } from '../../data/bad-samples.ts';
import { checkAnnotation } from '../../data/sample-reader.ts';
import { type Captions, type Source, nameOfSample } from '../../data/source.ts';
import { RectiflowError, dataError } from '../../tensor/errors.ts';
import { toHalfBits } from '../../tensor/half.ts';
import { sizeOf } from '../../tensor/shape.ts';
import type { EncodeSourceOptions } from './encoder.ts';
import type { JournalRecord } from './journal.ts';
import type { EncodingSettings } from './manifest.ts';

const key = { seed: 0, epoch: 0 };
/** What float16 holds; what is larger becomes infinite. */
const mostOfHalf = 65520;

interface ReadImage {
  readonly place: number;
  readonly label?: number | undefined;
  readonly captions?: Captions | undefined;
  /** As it is, and mirrored where that is asked for. */
  readonly images: readonly Float32Array[];
}

/** An image that was read, or what is heard of in its turn: what is left out must not depend on which read ends first. */
type Attempt = ReadImage | { readonly place: number; readonly error: unknown };

/**
 * Samples `from` to `to` in batches; the next one is read while one is encoded.
 * @throws RectiflowError as `BadSamples.add` does, and where the encoder makes numbers that cannot be kept
 */
export async function* encodedRecords(
  source: Source,
  from: number,
  to: number,
  bad: BadSamples,
  options: EncodeSourceOptions,
): AsyncGenerator<JournalRecord[]> {
  const { batchSize, signal } = options;
  const readBatch = (first: number): Promise<Attempt[]> => {
    const places = Array.from({ length: Math.min(batchSize, to - first) }, (_, i) => first + i);
    return Promise.all(places.map((place) => readImage(source, place, options)));
  };
  let ahead = from < to ? readBatch(from) : undefined;
  try {
    for (let first = from; first < to; first += batchSize) {
      signal?.throwIfAborted();
      const attempts = await ahead!;
      const next = first + batchSize;
      ahead = next < to ? readBatch(next) : undefined;
      for (const attempt of attempts)
        if ('error' in attempt) bad.add(attempt.place, attempt.error, attempt.place + 1);
      const good = attempts.filter((attempt): attempt is ReadImage => 'images' in attempt);
      const numbers = good.length > 0 ? await encodeBatch(source, good, options) : [];
      yield attempts.map((attempt): JournalRecord => {
        if ('error' in attempt)
          return { place: attempt.place, text: (attempt.error as RectiflowError).message };
        const { place, label, captions } = attempt;
        const text = captions === undefined ? '' : JSON.stringify(captions);
        return { place, label, text, numbers: numbers[good.indexOf(attempt)]! };
      });
    }
  } finally {
    // Whoever leaves early still waits for what is under way.
    await ahead;
  }
}

async function readImage(source: Source, place: number, options: EncodeSourceOptions): Promise<Attempt> {
  const { mirrored, settings } = options;
  try {
    const plain = new Float32Array(sizeOf(source.shape));
    const { label, caption } = checkAnnotation(source, place, await source.read(place, plain, 0, key));
    const images = [plain];
    if (mirrored) {
      images.push(new Float32Array(plain.length));
      await mirrored.read(place, images[1]!, 0, key);
    }
    const captions = settings.captions === 'several' ? await source.caption?.(place) : caption;
    return { place, label, captions: captions ?? caption, images };
  } catch (error) {
    return { place, error };
  }
}

/** The numbers of each, in the order of `tensorNames`. */
async function encodeBatch(
  source: Source,
  batch: readonly ReadImage[],
  { encoder, settings }: EncodeSourceOptions,
): Promise<Uint8Array[]> {
  const size = sizeOf(settings.shape);
  const parts: Float32Array[] = [];
  for (let version = 0; version < batch[0]!.images.length; version++) {
    const pixels = sizeOf(settings.pictures);
    const images = new Float32Array(batch.length * pixels);
    batch.forEach((image, i) => images.set(image.images[version]!, i * pixels));
    const { mean, deviation } = await encoder.encode(images, batch.length);
    parts.push(mean, ...(deviation ? [deviation] : []));
  }
  return batch.map(({ place }, i) => {
    const values = parts.map((part) => part.subarray(i * size, (i + 1) * size));
    return Buffer.concat(values.map((each) => bytesOf(stored(each, source, place, settings))));
  });
}

function stored(
  values: Float32Array,
  source: Source,
  place: number,
  { precision }: EncodingSettings,
): Float32Array | Uint16Array {
  const odd = values.find((value) => !Number.isFinite(value));
  if (odd !== undefined) {
    // Of the autoencoder rather than of the image: no policy leaves it out.
    const problem = `the autoencoder makes the value ${odd} of ${nameOfSample(source, place)}`;
    throw dataError(source.name, problem, 'Its weights may be damaged: try it on other images');
  }
  if (precision === 'float32') return values;
  if (values.some((value) => Math.abs(value) >= mostOfHalf)) {
    const problem = `${nameOfSample(source, place)} has latents that are too large for float16`;
    throw dataError(source.name, problem, 'Encode it in float32: --precision float32');
  }
  return toHalfBits('float16', values);
}
