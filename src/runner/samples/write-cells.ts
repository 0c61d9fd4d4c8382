import { join } from 'node:path';
import { toCells } from '../../data/expression/denormalize.ts';
import { parseExpressionRecord } from '../../sources/expression/record.ts';
import { writeExpression } from '../../sources/expression/write.ts';
import type { Samples } from './samples.ts';
import type { WrittenSamples } from './written-samples.ts';

/**
 * Writes generated cells as folder/cells.h5ad: layers/counts are counts, where the model was trained on some, and X is normalised as
 * the training data were; the classes are in the column of obs that they had; uns/rectiflow says where the cells come from. Names of
 * cells are those of no other sampling: the run, its step and a digest of what else they depend on.
 * @throws RectiflowError when the file cannot be written
 */
export async function writeCells(
  folder: string,
  { values, annotations, data, made }: Samples,
): Promise<WrittenSamples> {
  const view = join(folder, 'cells.h5ad');
  const record = parseExpressionRecord(data.record, view);
  const { genes, label: column = 'class', booleans: areBooleans = false } = record;
  const labels = data.classNames && annotations.map(({ label }) => label!);
  const cells = toCells(values, record, { ...(labels && { labels }), seed: made?.seed ?? 0 });
  await writeExpression(view, {
    genes,
    values: cells.values,
    ...(made && { cells: `${made.run}-${made.step}-${made.id}`, provenance: { ...made } }),
    ...(cells.counts && { layers: { counts: cells.counts } }),
    ...(labels && { classes: { column, names: data.classNames, labels, areBooleans } }),
  });
  return { count: values.length / genes.length, view };
}
