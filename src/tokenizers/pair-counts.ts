import { Chain } from './chain.ts';
import { Heap } from './heap.ts';

export interface CountedWord {
  readonly tokens: readonly number[];
  /** How often it occurs. */
  readonly count: number;
}

interface Entry {
  readonly key: number;
  readonly count: number;
}

/** What occurs of each pair of neighbours in words, kept up to date while pairs become one. */
export class PairCounts {
  readonly #chain: Chain;
  /** Of the word that a place belongs to. */
  readonly #weights: Float64Array;
  readonly #counts = new Map<number, number>();
  /** The places where a pair begins, or did, in their order. */
  readonly #places = new Map<number, number[]>();
  /** Each pair with its count, or, where that has become less, with one that it had. */
  readonly #ranking = new Heap<Entry>((a, b) => a.count > b.count || (a.count === b.count && a.key < b.key));

  constructor(words: readonly CountedWord[]) {
    this.#chain = new Chain(words.map(({ tokens }) => tokens));
    this.#weights = new Float64Array(this.#chain.length);
    let start = 0;
    for (const { tokens, count } of words) {
      this.#weights.fill(count, start, start + tokens.length);
      start += tokens.length;
    }
    for (let at = 0; at < this.#chain.length; at++) this.#add(at);
    for (const [key, count] of this.#counts) this.#ranking.push({ key, count });
  }

  /**
   * Of equally frequent pairs that with the smallest tokens.
   * @returns its key; undefined where none occurs `fewest` times
   */
  mostFrequent(fewest: number): number | undefined {
    for (let entry = this.#ranking.pop(); entry !== undefined; entry = this.#ranking.pop()) {
      const count = this.#counts.get(entry.key) ?? 0;
      if (count >= fewest && count === entry.count) return entry.key;
      if (count >= fewest) this.#ranking.push({ key: entry.key, count });
    }
    return undefined;
  }

  /** The most frequent pair becomes one token wherever it occurs. Only pairs with that token become more frequent. */
  merge(key: number, token: number): void {
    const chain = this.#chain;
    const more = new Set<number>();
    for (const at of this.#places.get(key) ?? []) {
      if (chain.keyAt(at) !== key) continue;
      const before = chain.previous(at);
      this.#remove(before);
      this.#remove(at);
      this.#remove(chain.next(at));
      chain.join(at, token);
      for (const changed of [before, at]) {
        const added = this.#add(changed);
        if (added !== undefined) more.add(added);
      }
    }
    this.#places.delete(key);
    for (const each of more) this.#ranking.push({ key: each, count: this.#counts.get(each) ?? 0 });
  }

  #add(at: number): number | undefined {
    const key = this.#chain.keyAt(at);
    if (key === undefined) return undefined;
    this.#counts.set(key, (this.#counts.get(key) ?? 0) + this.#weights[at]!);
    const places = this.#places.get(key);
    if (places === undefined) this.#places.set(key, [at]);
    else places.push(at);
    return key;
  }

  #remove(at: number): void {
    const key = this.#chain.keyAt(at);
    if (key === undefined) return;
    const count = this.#counts.get(key)! - this.#weights[at]!;
    if (count === 0) this.#counts.delete(key);
    else this.#counts.set(key, count);
  }
}
