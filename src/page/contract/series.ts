// Numbers of a log over time.
import type { Num } from './common.ts';
import type { LivePosition } from './live.ts';

/** In a URL: `fields=loss,gradNorm`, which may be given several times. */
export interface SeriesQuery {
  readonly fields: readonly string[];
  /** Steps, both included. By default all. */
  readonly from?: number;
  readonly to?: number;
  /** At most so many buckets, from 10 to 10,000; 1500 by default. */
  readonly points?: number;
}

export interface SeriesAnswer {
  /** By the names that were asked for; one that the log lacks is empty. */
  readonly fields: Readonly<Record<string, FieldSeries>>;
  /** Whether only some lines were read so far; ask again soon for all. */
  readonly isApproximate: boolean;
  /** Lines of the log, an estimate where `isApproximate`. */
  readonly records: number;
  /** Lines that are no records and were left out. */
  readonly damaged: number;
  /** Sentences about what was left out, or not held in memory. */
  readonly notes: readonly string[];
  /** Of the whole log; null where it has no record. */
  readonly steps: { readonly first: number; readonly last: number } | null;
  /** Where events begin that are not in here. */
  readonly live: LivePosition;
}

/** Columns of one length, a place for each bucket; buckets without a record that has the field are left out. */
export interface FieldSeries {
  /** Whether every bucket is of one record. */
  readonly isRaw: boolean;
  /** Of the last record in the bucket, as the next two are. */
  readonly step: readonly number[];
  /** Passes over the data. */
  readonly epoch: readonly (number | null)[];
  /** Of training. */
  readonly seconds: readonly (number | null)[];
  /** Of the finite values in it; null where there is none. */
  readonly min: readonly (number | null)[];
  readonly mean: readonly (number | null)[];
  readonly max: readonly (number | null)[];
  /** The last value in it, finite or not. */
  readonly last: readonly (Num | null)[];
  /** Records that have the field. */
  readonly count: readonly number[];
  /** Values in all of it that are not finite, by name, with the steps of the first 100 of them. */
  readonly gaps: {
    readonly count: number;
    readonly first: readonly { readonly step: number; readonly value: Num }[];
  };
}
