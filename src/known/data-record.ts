import { z } from 'zod';
import type { SavedCheckpoint } from '../runs/checkpoint.ts';
import type { PairedBy, Source, SourceFacts } from '../data/source.ts';
import type { LearntPairs } from '../tokenizers/byte-pairs.ts';
import type { Shape } from '../tensor/shape.ts';
import { classesOf } from '../train/create-model.ts';
import type { ModelConfig } from '../train/settings.ts';
import { issueError } from './state-error.ts';

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

const whole = z.number().int().nonnegative();

/** Of a record that was read from a file. */
export const dataRecordSchema: z.ZodType<DataRecord> = z.object({
  classes: whole.exactOptional(),
  classNames: z.array(z.string()).exactOptional(),
  record: z.record(z.string(), z.unknown()).exactOptional(),
  tokenizer: z.object({ vocabulary: whole, pairs: z.array(z.tuple([whole, whole])) }).exactOptional(),
  captionEncoder: z.union([z.string(), z.array(z.number())]).exactOptional(),
  told: z.enum(['class', 'caption', 'nothing']).exactOptional(),
  shape: z.array(whole).exactOptional(),
  shapes: z.array(z.array(whole)).exactOptional(),
  count: whole.exactOptional(),
  heldOut: whole.exactOptional(),
  paired: z.object({ weights: z.string(), model: z.string() }).exactOptional(),
  fingerprint: z.string().exactOptional(),
  accepted: z.array(z.object({ step: whole, text: z.string() })).exactOptional(),
});

/** What a model is told of a sample. */
export function toldTo(model: ModelConfig): NonNullable<DataRecord['told']> {
  if (model.kind === 'text-dit') return 'caption';
  return classesOf(model) > 0 ? 'class' : 'nothing';
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

/**
 * What a checkpoint knows of the data that it was trained on.
 * @throws RectiflowError when it is no such record
 */
export function dataOf({ path, state }: Pick<SavedCheckpoint, 'path' | 'state'>): DataRecord {
  const parsed = dataRecordSchema.safeParse(state['data'] ?? {});
  if (parsed.success) return parsed.data;
  throw issueError(path, 'state.data', parsed.error);
}

/** The names of the genes that a model of cells knows, in its order. */
export function genesOf(record: DataRecord['record']): readonly string[] | undefined {
  const genes = record?.['kind'] === 'expression' ? record['genes'] : undefined;
  return Array.isArray(genes) ? (genes as readonly string[]) : undefined;
}
