import { z } from 'zod';
import type { SavedCheckpoint } from '../runs/checkpoint.ts';
import type { DataRecord } from '../train/data-record.ts';
import { issueError } from './state-error.ts';

export type { AcceptedData, CaptionEncoder, DataRecord } from '../train/data-record.ts';
export { describeData, toldTo } from '../train/data-record.ts';

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
