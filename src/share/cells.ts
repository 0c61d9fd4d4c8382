// Real cells as two numbers each, and the mean expression of their types: what generated cells are seen among. No cell's expression is
// among it.
import { type CellSet, countLabels, ofClass } from '../data/expression/cell-set.ts';
import {
  type Projection,
  fitProjection,
  project,
  toPoints,
} from '../data/expression/principal-components.ts';
import type { ExpressionRecord } from '../data/expression/record.ts';
import { fileError } from '../tensor/errors.ts';
import type { Shape } from '../tensor/shape.ts';
import type { StoredTensors } from '../tensor/stored-tensor.ts';
import { toFloat32 } from '../tensor/to-float32.ts';
import { MANIFEST, type SharedCells } from './manifest.ts';

export interface ShownCells {
  /** Of expression without the model's scale to the plane of the first two principal components; one where there is one gene. */
  readonly projection: Projection;
  /** [N, 2], class by class. */
  readonly points: Float32Array;
  /** The class of each point; 0 where there are none. */
  readonly labels: Int32Array;
  /** Of each class, the mean expression [G] of the cells shown; undefined where that would tell too much of few of them. */
  readonly means: readonly (Float32Array | undefined)[];
  /** The share of the variance along each component. */
  readonly explained: readonly number[];
}

/** Of fewer cells a mean, or a plane, says too much of each. */
export const fewestCells = 10;

/**
 * Whether the mean of each class is told. Those without one are no cell or `fewestCells` together: what the others' means leave of the
 * mean of all would be theirs.
 */
export function areMeansTold(shown: readonly number[]): boolean[] {
  const told = shown.map((count) => count >= fewestCells);
  const untold = shown.reduce((sum, count, label) => sum + (told[label] ? 0 : count), 0);
  if (untold === 0 || untold >= fewestCells) return told;
  const least = Math.min(...shown.filter((_, label) => told[label]));
  const withheld = shown.indexOf(least);
  return told.map((isTold, label) => isTold && label !== withheld);
}

/** What is stored: `tensors` as files, the rest in the manifest. */
export interface StoredCells extends Omit<SharedCells, 'tensors'> {
  readonly tensors: StoredTensors;
}

/**
 * @param cells real ones, normalised but not scaled: `fewestCells` at least
 * @param genes G
 * @param classes 1 where there are none
 */
export function storeCells(cells: CellSet, genes: number, classes: number): StoredCells {
  const projection = fitProjection(cells.values, genes, 2);
  const shown = Array.from(countLabels(cells.labels, classes));
  const groups = shown.map((_, label) => ofClass(cells, genes, label).values);
  const points = groups.flatMap((values) => Array.from(planeOf(values, projection)));
  const told = areMeansTold(shown);
  const means = groups.filter((_, label) => told[label]).map((own) => meanOf(own, genes));
  const tensors = new Map([
    ['mean', tensor([genes], projection.mean)],
    ['components', tensor([projection.components.length, genes], projection.components.flatMap(toArray))],
    ['points', tensor([cells.labels.length, 2], points)],
    ...(means.length > 0 ? [['means', tensor([means.length, genes], means.flatMap(toArray))] as const] : []),
  ]);
  return { shown, explained: explainedBy(cells.values, genes, projection), tensors };
}

/** @throws RectiflowError where the tensors are not those that the manifest tells of */
export function restoreCells(
  { shown, explained }: Pick<SharedCells, 'shown' | 'explained'>,
  tensors: StoredTensors,
  { genes }: ExpressionRecord,
): ShownCells {
  const cells = shown.reduce((sum, count) => sum + count, 0);
  const told = areMeansTold(shown);
  const withMean = told.filter(Boolean).length;
  const valuesOf = (name: string, shape: Shape): Float32Array => {
    const found = tensors.get(name);
    if (found !== undefined && String(found.shape) === String(shape)) return toFloat32(found);
    const what = found === undefined ? 'is missing' : `has shape [${found.shape}], wanted [${shape}]`;
    throw fileError(MANIFEST, `cells.tensors: ${name} ${what}`, 'Share the run again');
  };
  const components = valuesOf('components', [explained.length, genes.length]);
  const means = withMean === 0 ? new Float32Array() : valuesOf('means', [withMean, genes.length]);
  const rowOf = (values: Float32Array, row: number): Float32Array =>
    values.subarray(row * genes.length, (row + 1) * genes.length);
  let next = 0;
  return {
    projection: {
      mean: Float64Array.from(valuesOf('mean', [genes.length])),
      components: explained.map((_, row) => Float64Array.from(rowOf(components, row))),
    },
    points: valuesOf('points', [cells, 2]),
    labels: Int32Array.from(shown.flatMap((count, label) => new Array<number>(count).fill(label))),
    means: told.map((isTold) => (isTold ? rowOf(means, next++) : undefined)),
    explained,
  };
}

/** Where cells are in the plane. @param values [N, G], without the model's scale @returns [N, 2] */
export function planeOf(values: Float32Array, projection: Projection): Float32Array {
  return Float32Array.from(toPoints(project(values, projection), projection.components.length).flat());
}

function explainedBy(values: Float32Array, genes: number, projection: Projection): number[] {
  const squares = values.reduce((sum, value, i) => sum + (value - projection.mean[i % genes]!) ** 2, 0);
  const width = projection.components.length;
  const along = new Array<number>(width).fill(0);
  project(values, projection).forEach((place, i) => (along[i % width]! += place ** 2));
  return along.map((sum) => (squares === 0 ? 0 : sum / squares));
}

/** Of the rows of [N, G]. */
export function meanOf(values: Float32Array, genes: number): Float64Array {
  const mean = new Float64Array(genes);
  values.forEach((value, i) => (mean[i % genes]! += value));
  return mean.map((sum) => (sum * genes) / values.length);
}

function toArray(values: Float64Array): number[] {
  return Array.from(values);
}

function tensor(shape: Shape, values: ArrayLike<number>): { dtype: 'F32'; shape: Shape; data: Float32Array } {
  return { dtype: 'F32', shape, data: Float32Array.from(values) };
}
