import { join } from 'node:path';
import { readRun } from '../runs/run-folder.ts';
import { type CellComparison, type CellSet, compareExpression } from './expression/compare.ts';
import { countLabels, takeOfEach } from '../data/expression/cell-set.ts';
import { finishCells, toCells } from '../data/expression/denormalize.ts';
import { fitProjection, project, toPoints } from '../data/expression/principal-components.ts';
import type { ExpressionRecord } from '../data/expression/record.ts';
import { parseExpressionRecord } from '../sources/expression/record.ts';
import { svgScatter } from '../pictures/scatter.ts';
import type { ExpressionData } from '../sources/settings.ts';
import { counted } from '../tensor/counted.ts';
import { runError } from '../tensor/errors.ts';
import type { ConfigInput } from '../config/config.ts';
import { compareData } from '../known/compare-data.ts';
import { resolveConfig } from '../config/resolve-config.ts';
import { withSource } from '../api/parts.ts';
import { type RealCells, readCells } from '../api/real-cells.ts';
import { findCheckpoint } from '../api/run-sampler.ts';
import { type SampleRunOptions, sample } from '../api/sample.ts';

export interface CompareRunOptions extends Omit<
  SampleRunOptions,
  'labels' | 'prompts' | 'count' | 'onProgress'
> {
  /** Cells to make of each class; by default as many as are held out, which is what comparing needs. */
  readonly count?: number | undefined;
  /** As `resume` has it, where cells of the file are not those that the run was trained on. */
  readonly acceptData?: boolean | undefined;
  /** Told what is done now, and how far it is. */
  readonly onProgress?: ((what: string, done: number, total: number) => void) | undefined;
}

export interface ExpressionComparison extends CellComparison {
  /** An SVG of generated cells beside those held out, in the plane of the latter's principal components. */
  readonly plot: string;
  /** The checkpoint that made the generated ones. */
  readonly step: number;
  /** Cells that were held out, and of how many of them there are figures. */
  readonly heldOut: { readonly cells: number; readonly read: number };
}

/** What stands for the class of all cells where there are no classes. */
const allCells = 'all cells';

/**
 * Makes cells with a run that was trained on gene expression and compares them with those that it kept out of training. Of the
 * file 2,000 cells of each of the two sets are held in memory at most, spread evenly over the cells of each class.
 * @param run its folder
 * @throws RectiflowError when the run is of other data or held no cells out, the file is not the one that it was trained on, and
 * where `sample` does
 */
export async function compareRun(
  run: string,
  options: CompareRunOptions = {},
): Promise<ExpressionComparison> {
  const { count, acceptData, onProgress = () => {}, ...sampling } = options;
  const { config: recorded } = await readRun(run);
  const { data, model } = resolveConfig(recorded as ConfigInput, { origin: join(run, 'config.json') });
  if (data.source !== 'expression') {
    throw runError(
      run,
      `was trained on ${data.source}, not on gene expression`,
      'Compare a run on an .h5ad file; rectiflow compare ddpm is for any data',
    );
  }
  if (data.holdOut === 0) {
    throw runError(run, 'held no cells out to compare with', 'Train with data.holdOut, as in 0.2');
  }
  const saved = await findCheckpoint(run, options);
  const read = (split: ExpressionData['split']): Promise<RealCells> =>
    withSource({ ...data, split }, { onBadSample: 'fail', known: saved }, async (given) => {
      const { source, notices } = await compareData(given, { checkpoint: saved, model, accept: acceptData });
      // What is other in the file is so for both of its parts; what is recorded of the set is of those trained on.
      if (split === 'train') for (const text of notices) options.onNotice?.(text);
      return readCells(source, options.signal, (done, total) =>
        onProgress(split === 'train' ? 'reading cells trained on' : 'reading cells held out', done, total),
      );
    });
  const heldOut = await read('held-out');
  const trained = await read('train');
  const classNames = heldOut.classNames ?? [allCells];
  const counts = countLabels(heldOut.labels, classNames.length);
  const wanted = Array.from(counts, (held) => count ?? held);
  const made = await sample(run, {
    ...sampling,
    checkpoint: saved.step,
    ...(heldOut.classNames ? { labels: [...classNames.keys()], count: wanted } : { count: wanted[0]! }),
    onProgress: (done, total) => onProgress('sampling', done, total),
  });
  const record = parseExpressionRecord(made.data.record, run);
  const cells = made.values.length / record.genes.length;
  const labels = Array.from({ length: cells }, (_, cell) => made.annotations[cell]?.label ?? 0);
  const seed = options.seed ?? 0;
  const generated: CellSet = { labels, values: toCells(made.values, record, { labels, seed }).values };
  const compared = compareExpression({ heldOut, trained, generated }, record.genes.length, classNames, {
    finish: ({ values, labels: classes }) => finishCells(values, record, { labels: classes, seed }).values,
    onProgress: (done, total) => {
      options.signal?.throwIfAborted();
      onProgress('comparing', done, total);
    },
  });
  return {
    ...compared,
    plot: plotCells(heldOut, generated, record, classNames),
    step: made.step,
    heldOut: { cells: heldOut.all, read: heldOut.labels.length },
  };
}

/** As many generated cells of each class as there are real ones, if there are: else the common ones hide the rare. */
function plotCells(
  heldOut: CellSet,
  generated: CellSet,
  { genes }: ExpressionRecord,
  classNames: readonly string[],
): string {
  const projection = fitProjection(heldOut.values, genes.length, 2);
  const shown = takeOfEach(generated, genes.length, countLabels(heldOut.labels, classNames.length));
  const panel = (title: string, { values, labels }: CellSet) => ({
    title: `${title}: ${counted(labels.length, 'cell')}`,
    points: toPoints(project(values, projection), projection.components.length),
    labels,
  });
  return svgScatter({
    title: 'Gene expression by class',
    x: 'first principal component',
    y: 'second principal component',
    classNames,
    panels: [panel('held out', heldOut), panel('generated', shown)],
  });
}
