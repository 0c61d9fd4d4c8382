import type { SavedCheckpoint } from '../checkpoint/checkpoint.ts';
import type { SourceFacts } from '../data/source.ts';
import type { LearntPairs } from '../data/tokenizers/open.ts';

/** What of the data has to stay with the weights: what classes are called, and what values mean. */
export interface DataRecord {
  readonly classNames?: readonly string[];
  /** `SourceFacts.record` */
  readonly record?: Readonly<Record<string, unknown>>;
  /** A tokenizer that was learnt from the captions. */
  readonly tokenizer?: LearntPairs;
}

export function describeData({ classNames, record }: SourceFacts, tokenizer?: LearntPairs): DataRecord {
  return { ...(classNames && { classNames }), ...(record && { record }), ...(tokenizer && { tokenizer }) };
}

/** What a checkpoint knows of the data that it was trained on. */
export function dataOf({ state }: SavedCheckpoint): DataRecord {
  return (state.data as DataRecord | undefined) ?? {};
}
