// Quantiles of values that are in order.

/** The quantile at `share` of sorted values, between neighbours in proportion; 0 of none. */
export function interpolate(sorted: readonly number[], share: number): number {
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)] ?? 0;
  const above = sorted[Math.ceil(place)] ?? below;
  return below + (above - below) * (place - Math.floor(place));
}
