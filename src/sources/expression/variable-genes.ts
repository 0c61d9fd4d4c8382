// Highly variable genes by normalised dispersion (Satija et al. 2015, "Spatial reconstruction of single-cell gene expression
// data", the method of Seurat): genes are compared with those that are expressed as strongly.
import type { Moments } from './normalize.ts';

const BINS = 20;

/**
 * The `wanted` genes with the largest normalised dispersion, in the order of the file.
 * @param moments of normalised values that are no logarithms
 */
export function variableGenes({ mean, variance }: Moments, wanted: number): Int32Array {
  const genes = Array.from(mean.keys());
  const expressed = genes.filter((gene) => mean[gene]! > 0 && variance[gene]! > 0);
  const dispersion = Float64Array.from(genes, (gene) => Math.log(variance[gene]! / mean[gene]!));
  const strength = Float64Array.from(genes, (gene) => Math.log1p(mean[gene]!));
  const normalized = new Float64Array(genes.length).fill(-Infinity);
  for (const bin of bins(expressed, strength)) {
    const [center, deviation] = centerAndDeviation(bin.map((gene) => dispersion[gene]!));
    for (const gene of bin) normalized[gene] = (dispersion[gene]! - center) / deviation;
  }
  return Int32Array.from(genes)
    .toSorted((a, b) => normalized[b]! - normalized[a]! || a - b)
    .slice(0, wanted)
    .toSorted();
}

/** Bins of equal width. */
function bins(genes: readonly number[], strength: Float64Array): number[][] {
  const least = genes.reduce((low, gene) => Math.min(low, strength[gene]!), Infinity);
  const most = genes.reduce((high, gene) => Math.max(high, strength[gene]!), -Infinity);
  const made = Array.from({ length: BINS }, (): number[] => []);
  for (const gene of genes) {
    const place = Math.floor((BINS * (strength[gene]! - least)) / (most - least || 1));
    made[Math.min(place, BINS - 1)]!.push(gene);
  }
  return made;
}

/** A gene alone in its bin gets a normalised dispersion of 1, as in the published method. */
function centerAndDeviation(values: readonly number[]): [center: number, deviation: number] {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  if (values.length === 1) return [0, mean || 1];
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return [mean, Math.sqrt(squares / (values.length - 1)) || 1];
}
