// The samples that are compared: those of the data, and what models make that are told the same.
import type { SampleRunOptions } from '../api/sample.ts';
import type { RunConfig } from '../config/config.ts';
import { Loader } from '../data/loader.ts';
import type { Annotation, Source } from '../data/source.ts';
import { classesOf } from '../train/create-model.ts';
import { gridRows } from '../train/sample-grid.ts';

export interface ComparedData {
  readonly values: Float32Array;
  readonly annotations: readonly Annotation[];
  /** As many that are not among them. */
  readonly others: Float32Array;
}

/** The first samples of an epoch, and those after them; half of the data at most. */
export async function readCompared(
  source: Source,
  { loader, seed }: Pick<RunConfig, 'loader' | 'seed'>,
  count: number,
): Promise<ComparedData> {
  const batchSize = Math.min(count, Math.floor(source.count / 2));
  const reader = new Loader(source, { ...loader, prefetch: 1, batchSize, seed });
  try {
    const { values, annotations } = await reader.next();
    return { values: values.slice(), annotations, others: (await reader.next()).values.slice() };
  } finally {
    reader.close();
  }
}

/** One sample for each: of the same class, or with the same caption, where the model is told such. */
export function asOf(
  { model }: Pick<RunConfig, 'model'>,
  rows: readonly Annotation[],
): Pick<SampleRunOptions, 'labels' | 'prompts' | 'count'> {
  if (model.kind === 'text-dit') return { prompts: rows.map(({ caption }) => caption!), count: 1 };
  return classesOf(model) > 0
    ? { labels: rows.map(({ label }) => label!), count: 1 }
    : { count: rows.length };
}

/** Pictures of a row. */
export const SHOWN = 10;

/** Rows of the run's grids, as often as there is room; where it has none, the first of the data. */
export function shownRows(
  { sample: settings }: Pick<RunConfig, 'sample'>,
  data: readonly Annotation[],
): Annotation[] {
  const rows = gridRows(settings).slice(0, SHOWN);
  const some = rows.length > 0 ? rows : data.slice(0, SHOWN);
  return Array.from({ length: SHOWN }, (_, i) => some[Math.floor((i * some.length) / SHOWN)]!);
}
