/** A small seeded generator for test data: uniform in [-1, 1). */
export function randomValues(size: number, seed: number): Float64Array {
  let state = (seed * 2654435761 + 1) >>> 0;
  return Float64Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const high = state >>> 8;
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (high + (state >>> 8) / 2 ** 24) / 2 ** 23 - 1;
  });
}
