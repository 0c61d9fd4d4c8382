import { join } from 'node:path';
import { denormalize, toCounts } from '../data/expression/denormalize.ts';
import { parseExpressionRecord } from '../data/expression/record.ts';
import { writeExpression } from '../data/expression/write.ts';
import type { Samples } from './sample.ts';
import type { WrittenSamples } from './write-samples.ts';

/**
 * Writes generated cells as folder/cells.h5ad: X is normalised as the training data were; layers/counts are counts, where the
 * model was trained on some; the classes are in the column of obs that they had.
 * @throws RectiflowError when the file cannot be written
 */
export async function writeCells(
  folder: string,
  { values, annotations, data }: Samples,
): Promise<WrittenSamples> {
  const view = join(folder, 'cells.h5ad');
  const record = parseExpressionRecord(data.record, view);
  const { genes, label: column = 'class', totals } = record;
  const labels = data.classNames && annotations.map(({ label }) => label!);
  const expression = denormalize(values, record, labels);
  await writeExpression(view, {
    genes,
    values: expression,
    ...(totals && {
      layers: { counts: toCounts(expression, record, { ...(labels && { labels }), seed: 0 }) },
    }),
    ...(labels && { classes: { column, names: data.classNames, labels } }),
  });
  return { count: values.length / genes.length, view };
}
