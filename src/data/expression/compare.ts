// How well generated cells agree with real ones that training never saw, class by class, and how well other real cells do.
import { shapeError, valueError } from '../../tensor/errors.ts';

export interface CellSet {
  /** [N, G], normalised but not scaled: what `denormalize` gives. */
  readonly values: Float32Array;
  /** One per cell, in [0, number of classes); all 0 where there are none. */
  readonly labels: ArrayLike<number>;
}

/** Of the cells of one class. */
export interface Agreement {
  /** Pearson's, of the genes' mean expression, with that of the cells held out. */
  readonly correlation: number;
  /** The share of all values that are zero. */
  readonly zeros: number;
}

export interface ClassComparison {
  readonly name: string;
  readonly heldOut: { readonly cells: number; readonly zeros: number };
  /** The real cells trained on: how near even real cells come to the few that are held out. */
  readonly trained: Agreement & { readonly cells: number };
  readonly generated: Agreement & { readonly cells: number };
}

/**
 * Compares class by class; a class of which one of the sets has no cell is left out.
 * @throws RectiflowError when a set's sizes do not fit
 */
export function compareExpression(
  sets: Readonly<Record<'generated' | 'trained' | 'heldOut', CellSet>>,
  genes: number,
  classNames: readonly string[],
): ClassComparison[] {
  for (const [name, set] of Object.entries(sets)) checkSet(name, set, genes, classNames.length);
  return classNames.flatMap((name, label) => {
    const [heldOut, trained, generated] = [sets.heldOut, sets.trained, sets.generated].map((set) =>
      describeClass(set, genes, label),
    ) as [ClassFacts, ClassFacts, ClassFacts];
    if (heldOut.cells === 0 || trained.cells === 0 || generated.cells === 0) return [];
    const agree = ({ mean, cells, zeros }: ClassFacts): Agreement & { cells: number } => ({
      cells,
      zeros,
      correlation: correlation(mean, heldOut.mean),
    });
    return [
      {
        name,
        heldOut: { cells: heldOut.cells, zeros: heldOut.zeros },
        trained: agree(trained),
        generated: agree(generated),
      },
    ];
  });
}

interface ClassFacts {
  readonly cells: number;
  readonly zeros: number;
  readonly mean: Float64Array;
}

function describeClass({ values, labels }: CellSet, genes: number, label: number): ClassFacts {
  const mean = new Float64Array(genes);
  let [cells, zeros] = [0, 0];
  for (let cell = 0; cell < labels.length; cell++) {
    if (labels[cell] !== label) continue;
    cells++;
    for (let gene = 0; gene < genes; gene++) {
      const value = values[cell * genes + gene]!;
      mean[gene]! += value;
      if (value === 0) zeros++;
    }
  }
  return { cells, zeros: zeros / (cells * genes), mean: mean.map((sum) => sum / cells) };
}

/** Pearson's correlation coefficient; 0 where one of the two does not vary. */
export function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const [meanA, meanB] = [average(a), average(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]! - meanA, b[i]! - meanB];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return aa === 0 || bb === 0 ? 0 : ab / Math.sqrt(aa * bb);
}

function average(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i]!;
  return sum / values.length;
}

function checkSet(name: string, { values, labels }: CellSet, genes: number, classes: number): void {
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
