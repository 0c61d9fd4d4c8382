// What a set of cells says of its genes: means, variances, shares of zeros, and which genes vary together.
import type { CellSet } from '../../../data/expression/cell-set.ts';

export interface GeneMoments {
  readonly mean: Float64Array;
  /** Of the population: divided by the number of cells. */
  readonly variance: Float64Array;
  /** The share of all values that are zero. */
  readonly zeros: number;
}

export function momentsOf({ values }: Pick<CellSet, 'values'>, genes: number): GeneMoments {
  const cells = values.length / genes;
  const mean = new Float64Array(genes);
  const variance = new Float64Array(genes);
  let zeros = 0;
  for (let i = 0; i < values.length; i++) {
    mean[i % genes]! += values[i]! / cells;
    if (values[i] === 0) zeros++;
  }
  for (let i = 0; i < values.length; i++)
    variance[i % genes]! += (values[i]! - mean[i % genes]!) ** 2 / cells;
  return { mean, variance, zeros: zeros / values.length };
}

/** The sum of the variances of `a` in proportion to that of `b`; 1 where neither varies. */
export function varianceRatio(a: Float64Array, b: Float64Array): number {
  const [over, under] = [sum(a), sum(b)];
  return under === 0 ? (over === 0 ? 1 : Infinity) : over / under;
}

/**
 * The mean, over axes, of the logarithm of the ratio of variances, as a ratio: too much along one axis does not make up for too
 * little along another. Axes along which `b` does not vary are left out.
 */
export function meanVarianceRatio(a: Float64Array, b: Float64Array): number {
  const axes = [...b.keys()].filter((axis) => b[axis]! > 0);
  if (axes.length === 0) return 1;
  return Math.exp(axes.reduce((total, axis) => total + Math.log(a[axis]! / b[axis]!), 0) / axes.length);
}

/** The genes that vary most, the first of equal ones first. */
export function mostVariable(variance: Float64Array, count: number): number[] {
  return [...variance.keys()].toSorted((i, j) => variance[j]! - variance[i]! || i - j).slice(0, count);
}

/** The cells less the mean of their class: how cells of a type differ from each other. */
export function withinClasses({ values, labels }: CellSet, genes: number, classes: number): Float64Array {
  const means = new Float64Array(classes * genes);
  const counts = new Float64Array(classes);
  for (let cell = 0; cell < labels.length; cell++) counts[labels[cell]!]!++;
  for (let i = 0; i < values.length; i++) {
    const label = labels[Math.floor(i / genes)]!;
    means[label * genes + (i % genes)]! += values[i]! / counts[label]!;
  }
  return Float64Array.from(values, (value, i) => {
    return value - means[labels[Math.floor(i / genes)]! * genes + (i % genes)]!;
  });
}

/**
 * Pearson's correlations of all pairs of the chosen genes: the upper triangle, row by row.
 * @param centred [N, G] with mean 0 for each gene; a gene that does not vary has correlation 0 with all
 */
export function correlations(centred: Float64Array, genes: number, chosen: readonly number[]): Float64Array {
  const cells = centred.length / genes;
  const columns = chosen.map((gene) => {
    const column = Float64Array.from({ length: cells }, (_, cell) => centred[cell * genes + gene]!);
    const norm = Math.sqrt(column.reduce((total, value) => total + value * value, 0));
    return norm === 0 ? column : column.map((value) => value / norm);
  });
  const upper = new Float64Array((chosen.length * (chosen.length - 1)) / 2);
  let at = 0;
  for (let i = 0; i < columns.length; i++) {
    for (let j = i + 1; j < columns.length; j++) {
      upper[at++] = columns[i]!.reduce((total, value, cell) => total + value * columns[j]![cell]!, 0);
    }
  }
  return upper;
}

/** Pearson's correlation coefficient; 0 where one of the two does not vary. */
export function correlation(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const { ab, aa, bb } = products(a, b);
  return aa === 0 || bb === 0 ? 0 : ab / Math.sqrt(aa * bb);
}

/** Of the line by least squares that tells y from x; 0 where x does not vary. */
export function slope(x: ArrayLike<number>, y: ArrayLike<number>): number {
  const { ab, aa } = products(x, y);
  return aa === 0 ? 0 : ab / aa;
}

function products(a: ArrayLike<number>, b: ArrayLike<number>): { ab: number; aa: number; bb: number } {
  const [meanA, meanB] = [sum(a) / a.length, sum(b) / b.length];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const [x, y] = [a[i]! - meanA, b[i]! - meanB];
    ab += x * y;
    aa += x * x;
    bb += y * y;
  }
  return { ab, aa, bb };
}

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}
