import { counted } from '../tensor/counted.ts';
import { RectiflowError, dataError, limitAdvice } from '../tensor/errors.ts';
import { listSome } from './list-some.ts';
import { nameOfSample } from './source.ts';
import type { OtherReaders } from './other-readers.ts';
import type { Source } from './source.ts';

/** What to do about a sample that cannot be used: end with its error, or name it, count it and take another. */
export type BadSamplePolicy = 'fail' | 'skip';

/** The share of a set that may be bad: above it, what is learnt is not what the user thinks. */
const mostOfSet = 0.05;
/** The share of the samples read so far from which on it is not worth waiting for the rest, and how many are a sample. */
const mostSoFar = 0.1;
const enoughReads = 200;

export interface BadSampleOptions {
  /** fail by default. */
  readonly onBadSample?: BadSamplePolicy | undefined;
  /** Of a part of a set, such as the samples held out: how many the whole has, which shares are of. Infinity: any may be bad. */
  readonly whole?: number | undefined;
  /** Told of each sample that is skipped, once, and how many there are by now. */
  readonly onBad?: ((error: RectiflowError, skipped: number) => void) | undefined;
  /** Where other processes read the set, too: one of the readers keeps count for all, tells, and says when there are too many. */
  readonly others?: OtherReaders | undefined;
}

/** Whether a policy goes on without `bad` of `count` samples. */
export function mayLeaveOut(policy: BadSamplePolicy, bad: number, count: number): boolean {
  return policy === 'skip' && bad <= mostOfSet * count;
}

/** Whether an error says what is wrong with a sample: not with this library, and not with the system that reads it. */
export function isOfSample(error: unknown): error is RectiflowError {
  return error instanceof RectiflowError && error.code !== 'internal' && limitAdvice(error) === undefined;
}

/** Whether so many of the first samples are bad that it is not worth waiting for the rest. */
export function isHopeless(bad: number, reads: number): boolean {
  return reads >= enoughReads && bad > mostSoFar * reads;
}

/** The samples of a set that cannot be used, and what is done about them. */
export class BadSamples {
  readonly #source: Source;
  readonly #options: BadSampleOptions;
  readonly #bad = new Set<number>();
  #tooMany: RectiflowError | undefined;

  readonly #close: (() => void) | undefined;

  constructor(source: Source, options: BadSampleOptions = {}) {
    this.#source = source;
    this.#options = options;
    this.#close = options.others?.listen?.(({ index, code, message, reads }) =>
      this.#leaveOut(index, new RectiflowError(code, message), reads),
    );
  }

  /** Hears of no more that others leave out. */
  close(): void {
    this.#close?.();
  }

  /** Those that are known here. */
  get indices(): readonly number[] {
    return [...this.#bad];
  }

  /** How many there are so far. */
  get count(): number {
    return this.#bad.size;
  }

  has(index: number): boolean {
    return this.#bad.has(index);
  }

  /** @throws RectiflowError where too many were bad before */
  check(): void {
    if (this.#tooMany) throw this.#tooMany;
  }

  /**
   * Leaves a sample out.
   * @param error what is wrong with it
   * @param reads of samples so far
   * @throws the error, of another kind than that a sample is bad; RectiflowError of the first bad sample (fail), or when more
   * than a twentieth of the set is bad (skip)
   */
  add(index: number, error: unknown, reads: number): void {
    if (!isOfSample(error)) throw error;
    if ((this.#options.onBadSample ?? 'fail') === 'fail') {
      const advice =
        'See all that is wrong with: rectiflow data check. To leave out what cannot be read: --set loader.onBadSample=skip';
      throw new RectiflowError(error.code, `${error.message} ${advice}`, { cause: error });
    }
    this.#leaveOut(index, error, reads);
    this.check();
  }

  /** @param reads of the reader that has found it */
  #leaveOut(index: number, error: RectiflowError, reads: number): void {
    const { name, count } = this.#source;
    const { onBad, others, whole = count } = this.#options;
    const { readers, tell } = others ?? { readers: 1 };
    const isNew = !this.#bad.has(index);
    this.#bad.add(index);
    const bad = this.#bad.size;
    if (isNew && tell === undefined) onBad?.(error, bad);
    if (isNew) tell?.({ index, code: error.code, message: error.message, reads });
    // How many were read by all is known to the one that keeps count.
    const tooManySoFar = tell === undefined && whole !== Infinity && isHopeless(bad, readers * reads);
    if (mayLeaveOut('skip', bad, whole) && bad < count && !tooManySoFar) return;
    const problem = `${bad} of its ${counted(count, 'sample')} cannot be used, after ${counted(readers * reads, 'read')}. The last one: ${error.message}`;
    this.#tooMany = dataError(name, problem, 'Look at them all with: rectiflow data check', error);
  }

  /**
   * `1 of 30 samples (3 %) was left out: photos/7.png`; undefined where none was.
   * @param elsewhere what others have left out
   */
  summary(elsewhere: Iterable<number> = []): string | undefined {
    const all = [...new Set([...this.#bad, ...elsewhere])].toSorted((a, b) => a - b);
    const bad = all.length;
    if (bad === 0) return undefined;
    const { count } = this.#source;
    const share = Number(((100 * bad) / count).toPrecision(1));
    const names = listSome(all.map((index) => nameOfSample(this.#source, index)));
    return `${bad} of ${counted(count, 'sample')} (${share} %) ${bad === 1 ? 'was' : 'were'} left out: ${names}`;
  }
}
