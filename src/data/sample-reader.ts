import { counted } from '../tensor/counted.ts';
import { dataError } from '../tensor/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import { type BadSampleOptions, BadSamples } from './bad-samples.ts';
import {
  type Annotation,
  type Captions,
  MOST_CAPTION,
  type ReadKey,
  type Source,
  nameOfSample,
} from './source.ts';

/** Reads samples under a policy for those that cannot be used. */
export class SampleReader {
  readonly #source: Source;
  readonly #bad: BadSamples;
  #reads = 0;

  constructor(source: Source, options: BadSampleOptions = {}) {
    this.#source = source;
    this.#bad = new BadSamples(source, options);
  }

  /** Different samples that were skipped so far. */
  get skipped(): number {
    return this.#bad.count;
  }

  /** Which. */
  get skippedIndices(): readonly number[] {
    return this.#bad.indices;
  }

  /** A sentence on all that were skipped; undefined where none was. */
  get summary(): string | undefined {
    return this.#bad.summary();
  }

  /** Of all that were skipped here or elsewhere. */
  summaryWith(skippedElsewhere: Iterable<number>): string | undefined {
    return this.#bad.summary(skippedElsewhere);
  }

  /** Hears of no more that others skip. */
  close(): void {
    this.#bad.close();
  }

  /**
   * Writes sample `index` to `out`. In the place of a bad one comes the next in the set that is not: a function of the set
   * alone, so that a resumed run learns from the same samples.
   * @throws RectiflowError of the first bad sample (fail), or when more than a twentieth of the set is bad (skip)
   */
  read(index: number, out: Float32Array, offset: number, key: ReadKey): Annotation | Promise<Annotation> {
    return this.#attempt(index, (good) => {
      const read = this.#source.read(good, out, offset, key);
      if (!(read instanceof Promise)) return checkAnnotation(this.#source, good, read);
      return read.then((annotation) => checkAnnotation(this.#source, good, annotation));
    });
  }

  /**
   * The captions of sample `index`, of a source that tells captions alone; of a bad one the next.
   * @throws RectiflowError as `read` does
   */
  caption(index: number): Captions | Promise<Captions> {
    return this.#attempt(index, (good) => {
      const captions = this.#source.caption!(good);
      if (captions instanceof Promise)
        return captions.then((each) => checkCaptions(this.#source, good, each));
      return checkCaptions(this.#source, good, captions);
    });
  }

  #attempt<T>(index: number, action: (index: number) => T | Promise<T>): T | Promise<T> {
    this.#bad.check();
    const good = this.#nextGood(index);
    this.#reads++;
    const readAnother = (error: unknown): T | Promise<T> => {
      this.#bad.add(good, error, this.#reads);
      return this.#attempt(index, action);
    };
    try {
      const result = action(good);
      return result instanceof Promise ? result.catch(readAnother) : result;
    } catch (error) {
      return readAnother(error);
    }
  }

  /**
   * `index`, or the first behind it that is not known to be bad, of the same shape where there is one. There is another: a twentieth
   * of a set may be bad at most.
   */
  #nextGood(index: number): number {
    if (!this.#bad.has(index)) return index;
    const { count, sizes } = this.#source;
    let other: number | undefined;
    for (let step = 1; step < count; step++) {
      const good = (index + step) % count;
      if (this.#bad.has(good)) continue;
      if (!sizes?.of || sizes.of(good) === sizes.of(index)) return good;
      other ??= good;
    }
    return other ?? index;
  }
}

/** @throws RectiflowError where a sample lacks what its source says that all have */
export function checkAnnotation(source: Source, index: number, annotation: Annotation): Annotation {
  const { classes, captions } = source;
  const { label, caption } = annotation;
  if (classes !== undefined && !(Number.isInteger(label) && label! >= 0 && label! < classes)) {
    const problem = label === undefined ? 'has no label' : `has label ${label}, outside of [0, ${classes})`;
    throw dataError(nameOfSample(source, index), problem, 'Correct the label, or the number of classes');
  }
  if (captions || caption !== undefined) checkCaptions(source, index, caption!);
  if (source.paired) checkNoise(source, index, annotation.noise);
  return annotation;
}

function checkNoise(source: Source, index: number, noise: Float32Array | undefined): void {
  const size = sizeOf(source.shape);
  const isWhole = noise?.length === size && noise.every(Number.isFinite);
  if (isWhole) return;
  const found =
    noise === undefined
      ? 'has no noise that it was made of'
      : noise.length === size
        ? 'has noise with numbers that are not finite'
        : `has noise of ${counted(noise.length, 'number')}, its values are ${size}`;
  throw dataError(nameOfSample(source, index), found, 'Make the pairs again');
}

function checkCaptions(source: Source, index: number, captions: Captions): Captions {
  const list: unknown = typeof captions === 'string' ? [captions] : captions;
  // A file may hold something else in the place of text.
  if (!Array.isArray(list) || !list.every((caption) => typeof caption === 'string'))
    throw dataError(nameOfSample(source, index), 'has no caption', 'Give it one, or leave the sample out');
  const longest = list.reduce((most, { length }) => Math.max(most, length), 0);
  if (longest <= MOST_CAPTION) return captions;
  const problem = `has a caption of ${longest} characters, wanted at most ${MOST_CAPTION}`;
  throw dataError(nameOfSample(source, index), problem, 'Shorten it, or leave the sample out');
}
