import { join } from 'node:path';
import { readRun } from '../checkpoint/run-folder.ts';
import { type CellSet, type ClassComparison, compareExpression } from '../data/expression/compare.ts';
import { denormalize, unscale } from '../data/expression/denormalize.ts';
import { fitProjection, project } from '../data/expression/projection.ts';
import { type ExpressionRecord, parseExpressionRecord } from '../data/expression/record.ts';
import { svgScatter } from '../data/expression/scatter.ts';
import { openExpression } from '../data/expression/source.ts';
import type { ExpressionData } from '../data/settings.ts';
import { runError } from '../tensor/errors.ts';
import type { ConfigInput } from '../train/config.ts';
import { resolveConfig } from '../train/resolve-config.ts';
import { type SampleRunOptions, sample } from './sample.ts';

export interface ExpressionComparison {
  readonly classes: readonly ClassComparison[];
  /** An SVG of generated cells beside those held out, in the plane of the latter's principal components. */
  readonly plot: string;
  /** The checkpoint that made the generated ones. */
  readonly step: number;
}

/** What stands for the class of all cells where there are no classes. */
const allCells = 'all cells';

/**
 * Makes cells with a run that was trained on gene expression and compares them with those that it kept out of training, class by
 * class. All cells of the file are held in memory, dense.
 * @param run its folder
 * @throws RectiflowError when the run is of other data or held no cells out, and where `sample` does
 */
export async function compareRun(
  run: string,
  options: Omit<SampleRunOptions, 'labels' | 'prompts'> = {},
): Promise<ExpressionComparison> {
  const { config: recorded } = await readRun(run);
  const { data } = resolveConfig(recorded as ConfigInput, { origin: join(run, 'config.json') });
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
  const heldOut = await readCells({ ...data, split: 'held-out' });
  const trained = await readCells({ ...data, split: 'train' });
  const classNames = heldOut.classNames ?? [allCells];
  const made = await sample(run, {
    count: 100,
    ...options,
    ...(heldOut.classNames && { labels: [...classNames.keys()] }),
  });
  const record = parseExpressionRecord(made.data.record, run);
  const count = made.values.length / record.genes.length;
  const labels = Array.from({ length: count }, (_, cell) => made.annotations[cell]?.label ?? 0);
  const generated: CellSet = { labels, values: denormalize(made.values, record, labels) };
  return {
    classes: compareExpression({ heldOut, trained, generated }, record.genes.length, classNames),
    plot: plotCells(heldOut, generated, record, classNames),
    step: made.step,
  };
}

interface RealCells extends CellSet {
  readonly classNames: readonly string[] | undefined;
}

/** Real values are taken as they are: none is cut to zero. */
async function readCells(data: ExpressionData): Promise<RealCells> {
  const source = await openExpression(data);
  const genes = source.shape[0]!;
  const values = new Float32Array(source.count * genes);
  const labels = new Int32Array(source.count);
  for (let cell = 0; cell < source.count; cell++) {
    const { label = 0 } = await source.read(cell, values, cell * genes, { seed: 0, epoch: 0 });
    labels[cell] = label;
  }
  await source.close?.();
  return {
    values: unscale(values, source.record as ExpressionRecord),
    labels,
    classNames: source.classNames,
  };
}

/** As many generated cells of each class as there are real ones, if there are: else the common ones hide the rare. */
function plotCells(
  heldOut: CellSet,
  generated: CellSet,
  { genes }: ExpressionRecord,
  classNames: readonly string[],
): string {
  const projection = fitProjection(heldOut.values, genes.length);
  const left = countLabels(heldOut.labels, classNames.length);
  const places = project(generated.values, projection);
  const shown = places.map((_, cell) => cell).filter((cell) => left[generated.labels[cell]!]!-- > 0);
  return svgScatter({
    title: 'Gene expression by class',
    x: 'first principal component',
    y: 'second principal component',
    classNames,
    panels: [
      {
        title: `held out: ${heldOut.labels.length} cells`,
        points: project(heldOut.values, projection),
        labels: heldOut.labels,
      },
      {
        title: `generated: ${shown.length} cells`,
        points: shown.map((cell) => places[cell]!),
        labels: shown.map((cell) => generated.labels[cell]!),
      },
    ],
  });
}

function countLabels(labels: ArrayLike<number>, classes: number): Int32Array {
  const counts = new Int32Array(classes);
  for (let i = 0; i < labels.length; i++) counts[labels[i]!]!++;
  return counts;
}
