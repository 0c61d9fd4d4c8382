// Which samples are asked for: what they are told, and how many there are.
import type { RunConfig } from '../../config/config.ts';
import { findClasses } from '../../data/find-classes.ts';
import type { Annotation } from '../../data/source.ts';
import { availableMemory } from '../../host/machine-memory.ts';
import type { DataRecord } from '../../known/data-record.ts';
import { classComposition } from '../../sources/expression/record.ts';
import { counted } from '../../tensor/counted.ts';
import { RectiflowError, valueError } from '../../tensor/errors.ts';
import { classesOf } from '../../train/create-model.ts';
import { mebibytes } from '../../train/memory-estimate.ts';
import { gridRows } from '../../train/sample-grid.ts';

/** What is left out is as the run's config says. */
export interface AskedRows {
  /**
   * The classes to sample; all rows of the run's grids by default. Not for a model without classes. A number is a label; a text is
   * read as `rectiflow sample --labels` reads it, a name before all else: '2' is the class that is called 2.
   */
  readonly labels?: readonly (number | string)[] | undefined;
  /** The captions to sample; all rows of the run's grids by default. Only for a model that takes captions. */
  readonly prompts?: readonly string[] | undefined;
  /**
   * Samples for each label or prompt, or in all for a model without; or a number for each of them. 8 by default. Of cells without
   * labels, which are of all classes: as many of each as there were to train on, 2,000 in all at most.
   */
  readonly count?: number | readonly number[] | undefined;
  readonly onNotice?: (text: string) => void;
}

/** As much of a run as samples depend on. */
type SampledRun = Pick<RunConfig, 'model' | 'sample'>;

/** Samples are held in memory until all are made. */
export function checkRoom(counts: readonly number[], numbers: number): void {
  const count = counts.reduce((sum, of) => sum + of, 0);
  const [needed, available] = [4 * count * numbers, availableMemory()];
  if (needed <= available) return;
  throw new RectiflowError(
    'memory',
    `sample: ${count} samples take ${mebibytes(needed)} of memory, and ${mebibytes(available)} are free. ` +
      'Make fewer at a time, with another seed each.',
  );
}

/** What the rows of samples are told, and how many there are of each; without rows one number, of all. */
export interface WantedSamples {
  readonly rows: readonly Annotation[];
  readonly counts: readonly number[];
}

const defaultCount = 8;

/** @throws RectiflowError naming what does not fit the model, or the data as it knows them */
export function wantedSamples(config: SampledRun, options: AskedRows, data: DataRecord): WantedSamples {
  const { labels, count } = options;
  const composition = labels === undefined ? classComposition(data.record) : undefined;
  const present = composition && [...composition.keys()].filter((label) => composition[label]! > 0);
  const areTold = classesOf(config.model) > 0;
  const rows = present && areTold ? present.map((label) => ({ label })) : wantedRows(config, options, data);
  const length = Math.max(1, rows.length);
  if (count === undefined && present) return { rows, counts: present.map((label) => composition[label]!) };
  if (typeof count !== 'object')
    return { rows, counts: new Array<number>(length).fill(count ?? defaultCount) };
  if (count.length === length) return { rows, counts: count };
  throw valueError(
    'sample',
    'count',
    `a number, or one for each of ${counted(length, 'label')}`,
    `${count.length} numbers`,
  );
}

/** The labels or prompts that are asked for, checked; those of the run's grids where none are. */
function wantedRows(config: SampledRun, options: AskedRows, data: DataRecord): Annotation[] {
  const { labels, prompts, onNotice } = options;
  const classes = classesOf(config.model);
  if (prompts && config.model.kind !== 'text-dit')
    throw valueError('sample', 'prompts', 'left out: this model takes no captions', prompts.join(', '));
  if (labels && classes === 0)
    throw valueError('sample', 'labels', 'left out: this model has no classes', labels.join(', '));
  const known = { count: classes, names: data.classNames };
  return gridRows({
    labels: labels ? findClasses(labels, known, { where: 'sample', onNotice }) : config.sample.labels,
    prompts: prompts ?? config.sample.prompts,
  });
}
