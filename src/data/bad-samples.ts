import { RectiflowError, dataError } from '../tensor/errors.ts';
import type { Annotation, ReadKey, Source } from './source.ts';

/** What to do about a sample that cannot be read: end with its error, or name it, count it and take another. */
export type BadSamplePolicy = 'fail' | 'skip';

/** The share of bad samples above which a set is not fit to be learnt from. */
const mostBad = 0.05;
/** Reads before the share says something. */
const enoughReads = 200;

/** Reads samples under a policy. */
export class SampleReader {
  readonly #source: Source;
  readonly #policy: BadSamplePolicy;
  readonly #onBad: (error: RectiflowError, skipped: number) => void;
  readonly #bad = new Set<number>();
  #reads = 0;

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
   * @throws RectiflowError of the first bad sample (fail), or when more than a twentieth are bad (skip)
   */
  read(index: number, out: Float32Array, offset: number, key: ReadKey): Annotation | Promise<Annotation> {
    if (this.#bad.has(index)) return this.#readInstead(index, out, offset, key);
    this.#reads++;
    const fail = (error: unknown): Promise<Annotation> => {
      this.#refuse(index, error);
      return this.#readInstead(index, out, offset, key);
    };
    try {
      const read = this.#source.read(index, out, offset, key);
      if (!(read instanceof Promise)) return this.#checkLabel(index, read);
      return read.then((annotation) => this.#checkLabel(index, annotation)).catch(fail);
    } catch (error) {
      return fail(error);
    }
  }

  async #readInstead(index: number, out: Float32Array, offset: number, key: ReadKey): Promise<Annotation> {
    return this.read((index + 1) % this.#source.count, out, offset, key);
  }

  #refuse(index: number, error: unknown): void {
    const { name, count } = this.#source;
    if (this.#policy === 'fail' || !(error instanceof RectiflowError) || error.code === 'internal')
      throw error;
    if (this.#bad.has(index)) return;
    this.#bad.add(index);
    this.#onBad(error, this.#bad.size);
    const seen = Math.min(this.#reads, count);
    if (seen < Math.min(count, enoughReads) || this.#bad.size <= mostBad * seen) return;
    const share = `${this.#bad.size} of the ${seen} samples read so far cannot be used, more than ${100 * mostBad} %`;
    const advice = 'Look at them with: rectiflow data check';
    throw dataError(name, `${share}. The last one: ${error.message}`, advice, error);
  }

  #checkLabel(index: number, annotation: Annotation): Annotation {
    const { name, classes, describe } = this.#source;
    if (classes === undefined) return annotation;
    const { label } = annotation;
    if (label !== undefined && Number.isInteger(label) && label >= 0 && label < classes) return annotation;
    const problem = `${describe?.(index) ?? `sample ${index}`} has label ${label}, outside of [0, ${classes})`;
    throw dataError(name, problem, 'Correct the label, or the number of classes');
  }
}
