/** Where each of many samples lies that stand in parts, one part after the other. */
export class PlaceTable {
  /** Where each part begins, and the last ends. */
  readonly #starts: Float64Array;

  constructor(counts: readonly number[]) {
    this.#starts = new Float64Array(counts.length + 1);
    counts.forEach((count, part) => (this.#starts[part + 1] = this.#starts[part]! + count));
  }

  get count(): number {
    return this.#starts.at(-1)!;
  }

  find(index: number): { readonly part: number; readonly at: number } {
    let [low, high] = [0, this.#starts.length - 1];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.#starts[middle]! <= index) low = middle;
      else high = middle;
    }
    return { part: low, at: index - this.#starts[low]! };
  }
}
