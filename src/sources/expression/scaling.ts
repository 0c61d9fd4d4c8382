// What is fitted to the normalised cells: the scale that the model sees, and what turns samples back into zeros and counts.
import { interpolate } from '../../data/expression/quantile.ts';
import type { Cells, Moments } from './normalize.ts';

/** The model sees (value - center) / deviation: with one entry for all genes, or one for each. */
export interface Scaling {
  readonly center: Float64Array;
  readonly deviation: Float64Array;
}

/** Mean 0 and deviation 1 of each gene, or of all values together. A gene that never varies is only centred. */
export function fitScaling({ mean, variance }: Moments, genes: Int32Array, perGene: boolean): Scaling {
  const means = Float64Array.from(genes, (gene) => mean[gene]!);
  const variances = Float64Array.from(genes, (gene) => variance[gene]!);
  if (perGene) return { center: means, deviation: variances.map((value) => Math.sqrt(value) || 1) };
  const center = average(means);
  const between = average(means.map((value) => (value - center) ** 2));
  const deviation = Math.sqrt(average(variances) + between) || 1;
  return { center: Float64Array.of(center), deviation: Float64Array.of(deviation) };
}

/**
 * For each class, half of the least value above zero that one of its cells typically has (the median): of counts, half of what a
 * single one has become.
 */
export async function zeroBounds(
  cells: Cells,
  chosen: Uint8Array,
  genes: Int32Array,
  codes: Int32Array,
): Promise<number[]> {
  const wanted = wantedColumns(cells, genes);
  const least = new Float64Array(cells.matrix.rows).fill(Infinity);
  await cells.forEachOf(chosen, (cell, gene, value) => {
    if (value > 0 && wanted[gene] === 1) least[cell] = Math.min(least[cell]!, value);
  });
  return byClass(least, codes, chosen).map((ofClass) => {
    return (
      interpolate(
        ofClass.filter((value) => value < Infinity),
        0.5,
      ) / 2
    );
  });
}

const QUANTILES = 101;

/** For each class, 101 evenly spaced quantiles of its cells' totals. */
export function totalQuantiles(totals: Float64Array, codes: Int32Array, chosen: Uint8Array): number[][] {
  return byClass(totals, codes, chosen).map((values) =>
    Array.from({ length: QUANTILES }, (_, i) => interpolate(values, i / (QUANTILES - 1))),
  );
}

/** How many of the chosen cells each class has. */
export function classSizes(codes: Int32Array, chosen: Uint8Array): number[] {
  return byClass(new Float64Array(codes.length), codes, chosen).map(({ length }) => length);
}

/**
 * The counts that each chosen cell has in some genes, from its normalised values; 0 for the others.
 * @param totals over all genes
 */
export async function countsIn(
  genes: Int32Array,
  cells: Cells,
  chosen: Uint8Array,
  totals: Float64Array,
  target: number,
): Promise<Float64Array> {
  const wanted = wantedColumns(cells, genes);
  const sums = new Float64Array(totals.length);
  await cells.forEachOf(chosen, (cell, gene, value) => {
    if (wanted[gene] === 1) sums[cell]! += Math.expm1(value);
  });
  return sums.map((sum, cell) => Math.round((sum * totals[cell]!) / target));
}

function wantedColumns({ matrix }: Cells, genes: Int32Array): Uint8Array {
  const wanted = new Uint8Array(matrix.columns);
  for (const gene of genes) wanted[gene] = 1;
  return wanted;
}

/** The values of the chosen cells of each class, sorted. */
function byClass(values: Float64Array, codes: Int32Array, chosen: Uint8Array): number[][] {
  const classes = codes.reduce((most, code) => Math.max(most, code), 0) + 1;
  const sorted = Array.from({ length: classes }, (): number[] => []);
  values.forEach((value, row) => {
    if (chosen[row] === 1) sorted[codes[row]!]!.push(value);
  });
  return sorted.map((ofClass) => ofClass.toSorted((a, b) => a - b));
}

function average(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
