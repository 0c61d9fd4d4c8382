import { RectiflowError, dataError } from '../tensor/errors.ts';
import type { Annotation, ReadKey, Source } from './source.ts';

/** What to do about a sample that cannot be read: end with its error, or name it, count it and take another. */
export type BadSamplePolicy = 'fail' | 'skip';

/** The share of a set that may be bad: above it, what is learnt is not what the user thinks. */
const mostOfSet = 0.05;
/** The share of the samples read so far from which on it is not worth waiting for the rest, and how many are a sample. */
const mostSoFar = 0.1;
const enoughReads = 200;

/** Reads samples under a policy. */
export class SampleReader {
  readonly #source: Source;
  readonly #policy: BadSamplePolicy;
  readonly #onBad: (error: RectiflowError, skipped: number) => void;
  readonly #bad = new Set<number>();
  #reads = 0;
  #tooMany: RectiflowError | undefined;

  /** @param onBad is told of each sample that is skipped, once, and how many there are by now */
  constructor(
    source: Source,
    policy: BadSamplePolicy,
    onBad: (error: RectiflowError, skipped: number) => void = () => {},
  ) {
    this.#source = source;
    this.#policy = policy;
    this.#onBad = onBad;
  }

  /** Different samples that were skipped so far. */
  get skipped(): number {
    return this.#bad.size;
  }

  /**
   * Writes sample `index` to `out`. In the place of a bad one comes the next in the set that is not: a function of the set
   * alone, so that a resumed run learns from the same samples.
   * @throws RectiflowError of the first bad sample (fail), or when more than a twentieth of the set is bad (skip)
   */
  read(index: number, out: Float32Array, offset: number, key: ReadKey): Annotation | Promise<Annotation> {
    if (this.#tooMany) throw this.#tooMany;
    const good = this.#nextGood(index);
    this.#reads++;
    const readAnother = (error: unknown): Annotation | Promise<Annotation> => {
      this.#refuse(good, error);
      return this.read(good, out, offset, key);
    };
    try {
      const read = this.#source.read(good, out, offset, key);
      if (!(read instanceof Promise)) return this.#checkLabel(good, read);
      return read.then((annotation) => this.#checkLabel(good, annotation)).catch(readAnother);
    } catch (error) {
      return readAnother(error);
    }
  }

  /** `index`, or the first behind it that is not known to be bad. There is one: a twentieth of a set may be bad at most. */
  #nextGood(index: number): number {
    let good = index;
    while (this.#bad.has(good)) good = (good + 1) % this.#source.count;
    return good;
  }

  #refuse(index: number, error: unknown): void {
    if (!(error instanceof RectiflowError) || error.code === 'internal') throw error;
    if (this.#policy === 'fail') {
      const advice =
        'See all that is wrong with: rectiflow data check. To leave out what cannot be read: --set loader.onBadSample=skip';
      throw new RectiflowError(error.code, `${error.message} ${advice}`, { cause: error });
    }
    if (!this.#bad.has(index)) {
      this.#bad.add(index);
      this.#onBad(error, this.#bad.size);
    }
    const { name, count } = this.#source;
    const bad = this.#bad.size;
    const tooManySoFar = this.#reads >= enoughReads && bad > mostSoFar * this.#reads;
    if (bad <= mostOfSet * count && !tooManySoFar) return;
    const problem = `${bad} of its ${count} samples cannot be used, after ${this.#reads} reads. The last one: ${error.message}`;
    this.#tooMany = dataError(name, problem, 'Look at them all with: rectiflow data check', error);
    throw this.#tooMany;
  }

  #checkLabel(index: number, annotation: Annotation): Annotation {
    const { name, classes } = this.#source;
    if (classes === undefined) return annotation;
    const { label } = annotation;
    if (label !== undefined && Number.isInteger(label) && label >= 0 && label < classes) return annotation;
    const problem = `${this.#source.describe?.(index) ?? `sample ${index}`} has label ${label}, outside of [0, ${classes})`;
    throw dataError(name, problem, 'Correct the label, or the number of classes');
  }
}
