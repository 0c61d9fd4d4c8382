// What is fitted to the normalised cells: the scale that the model sees, and what turns samples back into zeros and counts.
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

/** Of nearly all cells, the least value above zero is no smaller than this: of counts, what a single one becomes. */
export function leastAboveZero(cells: Cells, chosen: Uint8Array, genes: Int32Array): number {
  const wanted = new Uint8Array(cells.matrix.columns);
  for (const gene of genes) wanted[gene] = 1;
  const least = new Float64Array(cells.matrix.rows).fill(Infinity);
  cells.forEachOf(chosen, (cell, gene, value) => {
    if (value > 0 && wanted[gene] === 1) least[cell] = Math.min(least[cell]!, value);
  });
  return interpolate(least.filter((value) => value < Infinity).toSorted(), 0.05);
}

const QUANTILES = 101;

/** For each class, 101 evenly spaced quantiles of its cells' totals. */
export function totalQuantiles(totals: Float64Array, codes: Int32Array, chosen: Uint8Array): number[][] {
  const ofClass: number[][] = [];
  totals.forEach((total, row) => {
    if (chosen[row] === 1) (ofClass[codes[row]!] ??= []).push(total);
  });
  return Array.from(ofClass, (values = []) => {
    values.sort((a, b) => a - b);
    return Array.from({ length: QUANTILES }, (_, i) => interpolate(values, i / (QUANTILES - 1)));
  });
}

/** The quantile at `share` of sorted values, between neighbours in proportion; 0 of none. */
export function interpolate(sorted: ArrayLike<number>, share: number): number {
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? 0;
  const above = sorted[Math.ceil(place)] ?? below;
  return below + (above - below) * (place - Math.floor(place));
}

function average(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
