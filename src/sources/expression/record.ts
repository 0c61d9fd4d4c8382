// The record of gene expression as it is read from a checkpoint.
import { z } from 'zod';
import type { ExpressionRecord } from '../../data/expression/record.ts';
import { dataError } from '../../tensor/errors.ts';

const schema: z.ZodType<ExpressionRecord> = z.object({
  kind: z.literal('expression'),
  genes: z.array(z.string()),
  label: z.string().optional(),
  booleans: z.boolean().optional(),
  normalize: z.enum(['log1p', 'none']),
  target: z.number(),
  center: z.array(z.number()),
  deviation: z.array(z.number()),
  zeroBelow: z.array(z.number()).optional(),
  totals: z.array(z.array(z.number())).optional(),
  keptTotals: z.array(z.array(z.number())).optional(),
  cells: z.array(z.number()).optional(),
});

/**
 * The record that `openExpression` made, once it has been read from a file.
 * @throws RectiflowError when it is another
 */
export function parseExpressionRecord(record: unknown, origin: string): ExpressionRecord {
  const parsed = schema.safeParse(record);
  if (parsed.success) return parsed.data;
  throw dataError(
    origin,
    'has no record of genes and their normalisation',
    'Sample a run that was trained on an .h5ad file',
  );
}

/** Cells that are made without further words: more take long, and nobody has asked for them. */
const MOST_MADE = 2000;

/**
 * How many cells of each class are like the data: as many as there were to train on, or the same shares of 2,000, one at least of
 * each class that there is. Undefined where the record is of something else, or of an earlier version.
 */
export function classComposition(
  record: Readonly<Record<string, unknown>> | undefined,
): number[] | undefined {
  if (record?.['kind'] !== 'expression') return undefined;
  const { cells } = parseExpressionRecord(record, 'the checkpoint');
  if (cells === undefined) return undefined;
  const all = cells.reduce((sum, count) => sum + count, 0);
  const share = Math.min(1, MOST_MADE / all);
  return cells.map((count) => (count === 0 ? 0 : Math.max(1, Math.round(count * share))));
}
