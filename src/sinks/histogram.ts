/** How values are spread: bins of equal width from the smallest value to the largest. */
export interface Histogram {
  readonly min: number;
  readonly max: number;
  readonly sum: number;
  readonly sumSquares: number;
  /** Values in each bin. */
  readonly counts: readonly number[];
  /** The bins' limits, ascending, one more than there are bins. */
  readonly edges: readonly number[];
}

const bins = 30;

/** Values that are not finite are left out. @returns undefined where none is left */
export function histogramOf(values: Iterable<number>): Histogram | undefined {
  const finite = Array.from(values).filter(Number.isFinite);
  if (finite.length === 0) return undefined;
  let [min, max, sum, sumSquares] = [Infinity, -Infinity, 0, 0];
  for (const value of finite) {
    min = Math.min(min, value);
    max = Math.max(max, value);
    sum += value;
    sumSquares += value * value;
  }
  // Equal values are in the middle of bins that are one wide together, or wide enough to be told apart.
  const half = max > min ? 0 : Math.max(0.5, Math.abs(min) / 1000);
  const [low, high] = [min - half, max + half];
  const counts = new Array<number>(bins).fill(0);
  for (const value of finite) {
    const bin = Math.min(bins - 1, Math.floor(((value - low) / (high - low)) * bins));
    counts[bin]!++;
  }
  const edges = Array.from({ length: bins + 1 }, (_, i) =>
    i === bins ? high : low + (i / bins) * (high - low),
  );
  return { min, max, sum, sumSquares, counts, edges };
}

/** A histogram for each tag with finite values. */
export function histogramsOf(
  values: Readonly<Record<string, Iterable<number>>>,
): Readonly<Record<string, Histogram>> {
  const all = Object.entries(values).map(([tag, each]) => [tag, histogramOf(each)] as const);
  return Object.fromEntries(all.flatMap(([tag, histogram]) => (histogram ? [[tag, histogram]] : [])));
}
