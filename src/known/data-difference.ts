import type { Source } from '../data/source.ts';

/** Something of the data that is not as a checkpoint has it. */
export interface Difference {
  /** The middle of a sentence. */
  readonly text: string;
  /** What accepting it does, as in `takes them as they are now`. Without, it is said and needs no acceptance. */
  readonly ifAccepted?: string;
}

/** What one comparison comes to. */
export interface Comparison {
  /** As the model knows it. */
  readonly source: Source;
  readonly differences: readonly Difference[];
}

export function unchanged(source: Source): Comparison {
  return { source, differences: [] };
}
