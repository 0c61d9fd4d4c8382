// Of however many values: Math.max(...values) overflows the stack beyond some 120,000.

/** -Infinity of none. */
export function greatest(values: Iterable<number>): number {
  let most = -Infinity;
  for (const value of values) most = Math.max(most, value);
  return most;
}

/** Infinity of none. */
export function least(values: Iterable<number>): number {
  let lowest = Infinity;
  for (const value of values) lowest = Math.min(lowest, value);
  return lowest;
}
