import { digest } from './caption-census.ts';
import type { Duplicates } from './data-report.ts';

/** Finds samples that are copies of others, and among them those of which a model is told something else. */
export class DuplicateCensus {
  /** By sample: what is equal for copies, and for those of which the same is told. */
  readonly #contents: number[] = [];
  readonly #told: (number | undefined)[] = [];

  /** @param content equal for copies */
  add(index: number, content: number): void {
    this.#contents[index] = content;
  }

  /** @param told what a model is told of a sample */
  tell(index: number, told: string | undefined): void {
    this.#told[index] = told === undefined ? undefined : digest(told);
  }

  /**
   * @param describe names a sample
   * @param named the most pairs of either kind to name
   */
  report(describe: (index: number) => string, named: number): Duplicates {
    const first = new Map<number, number>();
    const duplicates = { count: 0, pairs: [] as [string, string][] };
    const conflicts = { count: 0, pairs: [] as [string, string][] };
    this.#contents.forEach((content, index) => {
      const of = first.get(content);
      if (of === undefined) {
        first.set(content, index);
        return;
      }
      const found = this.#told[index] === this.#told[of] ? duplicates : conflicts;
      if (found.count++ < named) found.pairs.push([describe(index), describe(of)]);
    });
    return { ...duplicates, conflicts };
  }
}
