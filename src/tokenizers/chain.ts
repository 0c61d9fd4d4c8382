/** More than there are tokens, so that one number tells two. */
export const KEY_BASE: number = 2 ** 20;

/** Two neighbouring tokens as one number. */
export function keyOf(left: number, right: number): number {
  return left * KEY_BASE + right;
}

const NONE = -1;

/** Tokens of words in which neighbours become one: each change takes the same time, however long the word is. */
export class Chain {
  /** NONE where a token has become part of the one before it. */
  readonly #tokens: Int32Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;

  constructor(words: readonly (readonly number[])[]) {
    this.#tokens = new Int32Array(words.reduce((sum, word) => sum + word.length, 0));
    this.#next = new Int32Array(this.#tokens.length);
    this.#previous = new Int32Array(this.#tokens.length);
    let start = 0;
    for (const word of words) {
      word.forEach((token, i) => {
        this.#tokens[start + i] = token;
        this.#previous[start + i] = i === 0 ? NONE : start + i - 1;
        this.#next[start + i] = i + 1 === word.length ? NONE : start + i + 1;
      });
      start += word.length;
    }
  }

  get length(): number {
    return this.#tokens.length;
  }

  /** The pair that begins at a place; undefined where none does, or no longer. */
  keyAt(at: number): number | undefined {
    const next = at === NONE ? NONE : this.#next[at]!;
    return next === NONE || this.#tokens[at] === NONE
      ? undefined
      : keyOf(this.#tokens[at]!, this.#tokens[next]!);
  }

  /** The places before and behind one; NONE, of which `keyAt` knows no pair, where there is none. */
  previous(at: number): number {
    return this.#previous[at]!;
  }

  next(at: number): number {
    return this.#next[at]!;
  }

  /** The pair at a place becomes one token. */
  join(at: number, token: number): void {
    const gone = this.#next[at]!;
    const next = this.#next[gone]!;
    this.#tokens[at] = token;
    this.#tokens[gone] = NONE;
    this.#next[at] = next;
    if (next !== NONE) this.#previous[next] = at;
  }

  /** All that are left. */
  tokens(): number[] {
    return Array.from(this.#tokens.filter((token) => token !== NONE));
  }
}
