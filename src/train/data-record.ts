// What of the data has to stay with the weights.
import type { PairedBy, Source, SourceFacts } from '../data/source.ts';
import type { Shape } from '../tensor/shape.ts';
import type { LearntPairs } from '../tokenizers/byte-pairs.ts';
import { classesOf } from './create-model.ts';
import type { StoredCheckpoint } from './run-store.ts';
import type { ModelConfig } from './settings.ts';

/**
 * What of the data has to stay with the weights: what classes are called, what values mean, and what tells the set from another.
 * Checkpoints of earlier versions have less of it.
 */
export interface DataRecord {
  /** Of the labels; also where classes have no names. */
  readonly classes?: number;
  readonly classNames?: readonly string[];
  /** `SourceFacts.record` */
  readonly record?: Readonly<Record<string, unknown>>;
  /** A tokenizer that was learnt from the captions. */
  readonly tokenizer?: LearntPairs;
  readonly captionEncoder?: CaptionEncoder;
  /** What the model is told of a sample. */
  readonly told?: 'class' | 'caption' | 'nothing';
  /** Of one sample. */
  readonly shape?: Shape;
  /** All that samples were read at, where there are several. */
  readonly shapes?: readonly Shape[];
  /** Samples of the set, those held out among them. */
  readonly count?: number;
  /** Samples that `heldOut` keeps out of training. */
  readonly heldOut?: number;
  /** `SourceFacts.paired`: the model whose noise and samples they are. */
  readonly paired?: PairedBy;
  /** `Source.fingerprint` */
  readonly fingerprint?: string;
  /** Where the user took data that are not those of the checkpoint: what differed, and what was made of it. */
  readonly accepted?: readonly AcceptedData[];
}

/** What makes captions what the model is told of them, where that is a file: its digest, or numbers that it makes. */
export type CaptionEncoder = string | readonly number[];

export interface AcceptedData {
  /** After which step. */
  readonly step: number;
  readonly text: string;
}

/** What a model is told of a sample. */
export function toldTo(model: ModelConfig): NonNullable<DataRecord['told']> {
  if (model.kind === 'text-dit') return 'caption';
  return classesOf(model) > 0 ? 'class' : 'nothing';
}

/** The tokenizer that a run learnt from its captions, by one of its checkpoints. */
export function learntIn({ state }: Pick<StoredCheckpoint, 'state'>): LearntPairs | undefined {
  return (state['data'] as DataRecord | undefined)?.tokenizer;
}

/** What a source says of itself that is recorded. */
export async function describeData(
  source: Source,
  told: NonNullable<DataRecord['told']>,
): Promise<DataRecord> {
  const { classes, classNames, record, shape, sizes, count, paired }: SourceFacts = source;
  const fingerprint = await source.fingerprint?.();
  return {
    ...(classes !== undefined && { classes }),
    ...(classNames && { classNames }),
    ...(record && { record }),
    told,
    shape,
    ...(sizes && { shapes: sizes.shapes }),
    count,
    ...(paired && { paired }),
    ...(fingerprint !== undefined && { fingerprint }),
  };
}
