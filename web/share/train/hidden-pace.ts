// Whether a browser slows a training whose tab is hidden.

/** Steps before it is judged, and how much slower is worth a word. */
const fewest = 3;
const notable = 2;
/** Steps in sight that are remembered. */
const most = 50;

export class HiddenPace {
  /** Seconds of a picture, while the tab was in sight, and since it was hidden. */
  #seen: number[] = [];
  #hidden: number[] = [];

  /**
   * @param samplesPerSecond of a step
   * @param isHidden whether the tab is
   * @returns when it is in sight again, and training was much slower meanwhile: what to tell
   */
  add(samplesPerSecond: number, isHidden: boolean): string | undefined {
    const seconds = 1 / samplesPerSecond;
    if (isHidden) {
      this.#hidden.push(seconds);
      return undefined;
    }
    // The step that ends in sight began before.
    const hidden = this.#hidden.length > 0 ? [...this.#hidden, seconds] : [];
    const before = this.#seen;
    this.#hidden = [];
    this.#seen = [...before, ...(hidden.length > 0 ? [] : [seconds])].slice(-most);
    if (hidden.length < fewest || before.length < fewest) return undefined;
    const times = meanOf(hidden) / meanOf(before);
    if (times < notable) return undefined;
    return (
      `While the tab was hidden, training was ${times.toFixed(1)} times slower: this browser slows what is hidden. ` +
      'In a window of its own, beside others, it is not slowed.'
    );
  }
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
