/** Several parts, one behind the other, as one sequence: of which part an index is, and which of its elements. */
export class Parts {
  readonly count: number;
  /** The number of parts. */
  readonly length: number;
  /** Where each part starts. */
  readonly #starts: Float64Array;

  constructor(counts: readonly number[]) {
    this.length = counts.length;
    this.#starts = new Float64Array(counts.length);
    let start = 0;
    for (const [part, count] of counts.entries()) {
      this.#starts[part] = start;
      start += count;
    }
    this.count = start;
  }

  /** By bisection: the last part that starts at or before the index. */
  locate(index: number): readonly [part: number, within: number] {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (this.#starts[middle]! <= index) low = middle;
      else high = middle - 1;
    }
    return [low, index - this.#starts[low]!];
  }

  /** Where a part starts. */
  start(part: number): number {
    return this.#starts[part]!;
  }

  size(part: number): number {
    return (this.#starts[part + 1] ?? this.count) - this.#starts[part]!;
  }
}
