import type { Values } from '../flow/integrator.ts';

/** The times that are shown, from noise to data, beside the sample itself at 0. */
const shownTimes = [1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125] as const;

/** How some samples become what they are: where they stand when a sampler first looks at them at a shown time or after. */
export class SamplePath {
  /** What the pictures of a row show: their times. */
  static readonly labels: readonly string[] = [...shownTimes, 0].map((time, i) =>
    i === 0 ? `t=${time}` : String(time).replace(/^0\./, '.'),
  );
  /** Pictures of a row. */
  static readonly columns: number = SamplePath.labels.length;
  /** A row for each shown sample, whose last picture is the sample itself. */
  readonly rows: Float32Array;
  readonly #shown: readonly number[];
  readonly #elements: number;
  /** By sample, then by time. */
  readonly #states: Float32Array[][];

  /**
   * @param shown the samples, by their places among those that are made, ascending
   * @param elements of a sample
   */
  constructor(shown: readonly number[], elements: number) {
    this.#shown = shown;
    this.#elements = elements;
    this.#states = shown.map(() => []);
    this.rows = new Float32Array(this.startOf(Infinity));
  }

  /** Where in the rows those begin of the samples from this one on. */
  startOf(sample: number): number {
    return this.#shown.filter((shown) => shown < sample).length * SamplePath.columns * this.#elements;
  }

  /**
   * @param x of the samples from `first` on, at time t, or each at its own
   */
  visit(x: Values, t: number | Float64Array, first: number): void {
    this.#shown.forEach((sample, row) => {
      const at = (sample - first) * this.#elements;
      if (at < 0 || at >= x.length) return;
      const time = typeof t === 'number' ? t : t[sample - first]!;
      const states = this.#states[row]!;
      while (states.length < shownTimes.length && time <= shownTimes[states.length]!)
        states.push(Float32Array.from(x.subarray(at, at + this.#elements)));
    });
  }

  /**
   * Fills the rows of samples that have come where they were going.
   * @param samples that were made, from `first` on
   */
  arrive(samples: Float32Array, first: number): void {
    this.#shown.forEach((sample, row) => {
      const at = (sample - first) * this.#elements;
      if (at < 0 || at >= samples.length) return;
      const made = samples.subarray(at, at + this.#elements);
      const states = this.#states[row]!;
      for (let column = 0; column < SamplePath.columns; column++)
        this.rows.set(states[column] ?? made, (row * SamplePath.columns + column) * this.#elements);
    });
  }
}
