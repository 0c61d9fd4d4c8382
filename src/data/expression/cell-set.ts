// Sets of cells in memory, and parts of them.
import { shapeError, valueError } from '../../tensor/errors.ts';

export interface CellSet {
  /** [N, G], row-major, normalised but not scaled. */
  readonly values: Float32Array;
  /** One per cell, in [0, number of classes); all 0 where there are none. */
  readonly labels: ArrayLike<number>;
}

/** @throws RectiflowError when a set's sizes do not fit, or a label is outside the classes */
export function checkCells(name: string, { values, labels }: CellSet, genes: number, classes: number): void {
  if (values.length !== labels.length * genes) {
    throw shapeError('compareExpression', `${name}.values`, `[N, G] = [${labels.length}, ${genes}]`, [
      values.length,
    ]);
  }
  const wrong = Array.from(labels).find((label) => !(label >= 0 && label < classes));
  if (wrong !== undefined) {
    throw valueError('compareExpression', `${name}.labels`, `classes from 0 to ${classes - 1}`, wrong);
  }
}

export function countLabels(labels: ArrayLike<number>, classes: number): Int32Array {
  const counts = new Int32Array(classes);
  for (let i = 0; i < labels.length; i++) counts[labels[i]!]!++;
  return counts;
}

/** About `most` of the cells, or all where there are no more: of each class the same share, evenly spaced. */
export function evenShare(labels: readonly number[], classes: number, most: number): number[] {
  const share = Math.min(1, most / labels.length);
  const seen = new Int32Array(classes);
  return [...labels.keys()].filter((index) => {
    const before = seen[labels[index]!]!++;
    return Math.ceil((before + 1) * share) > Math.ceil(before * share);
  });
}

/** The first so many cells of each class, in their order. @param wanted by class */
export function takeOfEach({ values, labels }: CellSet, genes: number, wanted: Int32Array): CellSet {
  const left = wanted.slice();
  const chosen = Array.from(labels, (_, cell) => cell).filter((cell) => left[labels[cell]!]!-- > 0);
  return pick({ values, labels }, genes, chosen);
}

export function ofClass(set: CellSet, genes: number, label: number): CellSet {
  const chosen = Array.from(set.labels, (_, cell) => cell).filter((cell) => set.labels[cell] === label);
  return pick(set, genes, chosen);
}

export function joinSets(...sets: readonly CellSet[]): CellSet {
  const values = new Float32Array(sets.reduce((sum, set) => sum + set.values.length, 0));
  let at = 0;
  for (const set of sets) {
    values.set(set.values, at);
    at += set.values.length;
  }
  return { values, labels: sets.flatMap(({ labels }) => Array.from(labels)) };
}

function pick({ values, labels }: CellSet, genes: number, cells: readonly number[]): CellSet {
  const picked = new Float32Array(cells.length * genes);
  cells.forEach((cell, at) => picked.set(values.subarray(cell * genes, (cell + 1) * genes), at * genes));
  return { values: picked, labels: cells.map((cell) => labels[cell]!) };
}
