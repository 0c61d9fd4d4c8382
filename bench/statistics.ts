// What a handful of timings say: the middle, and how far they spread.

export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** The middle value; the mean of the two middle ones of an even count. NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

export function spread(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) };
}

/**
 * How many times as long b takes as a, from turns that stood beside each other: whatever slows the machine down for a while
 * slows both turns of a pair.
 * @param a timings of each turn
 * @param b as many turns
 */
export function pairwiseRatios(a: readonly (readonly number[])[], b: typeof a): number[] {
  return a.map((turn, i) => median(b[i]!) / median(turn));
}
