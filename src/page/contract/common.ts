// What all requests and answers share.
/** A number of a log. NaN and infinities, which JSON lacks, go by their names. */
export type Num = number | 'NaN' | 'Infinity' | '-Infinity';

/** Any JSON. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** The answer to whatever fails. */
export interface Failure {
  /** A sentence for people: what is wrong, and what to do. */
  readonly error: string;
}
