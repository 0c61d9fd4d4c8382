/** A small seeded generator for test data: uniform in [-1, 1). */
export function randomValues(size: number, seed: number): Float64Array {
  const values = new Float64Array(size);
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let i = 0; i < size; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const high = state >>> 8;
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = (high + (state >>> 8) / 2 ** 24) / 2 ** 23 - 1;
  }
  return values;
}
