import type { ErrorCode } from '../tensor/errors.ts';

/** A sample that a reader leaves out. */
export interface SkippedSample {
  readonly index: number;
  /** Of the error that says what is wrong with it. */
  readonly code: ErrorCode;
  readonly message: string;
  /** Samples that this reader has read so far. */
  readonly reads: number;
}

/** Readers of the same set in other processes. What all of them leave out counts together, and one of them keeps the count. */
export interface OtherReaders {
  /** How many readers there are, with this one. They read about as many samples. */
  readonly readers: number;
  /** Tells the one that keeps the count what is left out here; undefined of that one. */
  readonly tell?: ((skipped: SkippedSample) => void) | undefined;
  /** Of the one that keeps the count: hears what others leave out. @returns stops that */
  readonly listen?: ((heard: (skipped: SkippedSample) => void) => () => void) | undefined;
}
