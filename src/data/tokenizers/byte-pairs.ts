// Byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909) learnt from a set's own captions: frequent words become tokens,
// rare ones are spelled in pieces, and nothing is unknown.
//
//   0 .. 255    a byte inside of a word        512     the end of a caption
//   256 .. 511  the last byte of a word        513 ..  pairs, in the order in which they were learnt
import { valueError } from '../../tensor/errors.ts';
import { plainCaption } from './plain-caption.ts';
import { type Tokenizer, endAt } from './tokenizer.ts';

const LAST_BYTE = 256;
const END = 512;
const FIRST_PAIR = 513;

/** Two neighbouring tokens that become one. Plain JSON, to be stored with a model that was trained on them. */
export type BytePair = readonly [left: number, right: number];

/** Words beyond these are too rare to be worth a token. */
const mostWords = 50_000;
/** A pair that occurs once says nothing about other captions. */
const fewest = 2;

/**
 * @param vocabulary tokens at most, from 514; fewer where no pair occurs twice
 * @returns the pairs, the most frequent first: a function of how often each word occurs
 */
export function learnBytePairs(captions: Iterable<string>, vocabulary: number): BytePair[] {
  checkVocabulary(vocabulary);
  const counted = new Map<string, number>();
  for (const caption of captions) {
    for (const word of wordsOf(caption)) counted.set(word, (counted.get(word) ?? 0) + 1);
  }
  const frequent = [...counted]
    .toSorted(([wordA, a], [wordB, b]) => b - a || (wordA < wordB ? -1 : 1))
    .slice(0, mostWords);
  const pairs = new PairCounts(frequent.map(([word, count]) => ({ symbols: spell(word), count })));
  const learnt: BytePair[] = [];
  while (FIRST_PAIR + learnt.length < vocabulary) {
    const pair = pairs.mostFrequent();
    if (pair === undefined) break;
    pairs.merge(pair, FIRST_PAIR + learnt.length);
    learnt.push(pair);
  }
  return learnt;
}

/**
 * @param pairs from `learnBytePairs`
 * @param vocabulary what they were learnt for: the same for any captions, so that a model's size is known before they are read
 * @param length tokens of a caption, from 2
 */
export function bytePairTokenizer(pairs: readonly BytePair[], vocabulary: number, length: number): Tokenizer {
  checkVocabulary(vocabulary);
  if (!Number.isInteger(length) || length < 2) {
    throw valueError('bytePairTokenizer', 'length', 'an integer from 2', length);
  }
  pairs.forEach(([left, right], i) => {
    const known = (token: number): boolean => Number.isInteger(token) && token >= 0 && token < FIRST_PAIR + i;
    if (known(left) && known(right) && FIRST_PAIR + i < vocabulary) return;
    throw valueError('bytePairTokenizer', `pair ${i}`, `of tokens that come before it, below ${vocabulary}`, [
      left,
      right,
    ]);
  });
  const tokenOf = new Map(pairs.map((pair, i) => [keyOf(...pair), FIRST_PAIR + i]));
  return {
    name: 'byte-pairs',
    vocabulary,
    length,
    encode: (caption) =>
      endAt(
        length,
        wordsOf(caption).flatMap((word) => join(spell(word), tokenOf)),
        END,
      ),
  };
}

/** What occurs of each pair of neighbours in the words, kept up to date while pairs become one. */
class PairCounts {
  readonly #words: readonly { symbols: number[]; readonly count: number }[];
  readonly #counts = new Map<number, number>();
  /** The words that a pair occurs in, or did. */
  readonly #where = new Map<number, Set<number>>();

  constructor(words: { symbols: number[]; readonly count: number }[]) {
    this.#words = words;
    words.forEach((_, i) => this.#count(i, 1));
  }

  /** Of equally frequent ones that with the smallest tokens. */
  mostFrequent(): BytePair | undefined {
    let best = -1;
    let most = fewest - 1;
    for (const [key, count] of this.#counts) {
      if (count > most || (count === most && key < best)) [best, most] = [key, count];
    }
    return best < 0 ? undefined : [Math.floor(best / KEY_BASE), best % KEY_BASE];
  }

  merge(pair: BytePair, token: number): void {
    for (const i of this.#where.get(keyOf(...pair)) ?? []) {
      this.#count(i, -1);
      this.#words[i]!.symbols = replacePair(this.#words[i]!.symbols, pair, token);
      this.#count(i, 1);
    }
  }

  #count(i: number, sign: 1 | -1): void {
    const { symbols, count } = this.#words[i]!;
    for (let at = 0; at + 1 < symbols.length; at++) {
      const key = keyOf(symbols[at]!, symbols[at + 1]!);
      const total = (this.#counts.get(key) ?? 0) + sign * count;
      if (total === 0) this.#counts.delete(key);
      else this.#counts.set(key, total);
      if (!this.#where.has(key)) this.#where.set(key, new Set());
      this.#where.get(key)!.add(i);
    }
  }
}

/** Joins neighbours, the pair that was learnt first before others, until none is left. */
function join(symbols: number[], tokenOf: ReadonlyMap<number, number>): number[] {
  for (;;) {
    let token = Infinity;
    let pair: BytePair = [0, 0];
    for (let at = 0; at + 1 < symbols.length; at++) {
      const found = tokenOf.get(keyOf(symbols[at]!, symbols[at + 1]!)) ?? Infinity;
      if (found < token) [token, pair] = [found, [symbols[at]!, symbols[at + 1]!]];
    }
    if (token === Infinity) return symbols;
    symbols = replacePair(symbols, pair, token);
  }
}

function replacePair(symbols: readonly number[], [left, right]: BytePair, token: number): number[] {
  const joined: number[] = [];
  for (let at = 0; at < symbols.length; at++) {
    const fits = symbols[at] === left && symbols[at + 1] === right;
    joined.push(fits ? token : symbols[at]!);
    if (fits) at++;
  }
  return joined;
}

/** Runs of letters, single digits, and runs of other signs, as in CLIP. */
function wordsOf(caption: string): string[] {
  return plainCaption(caption).match(/[\p{L}\p{M}]+|\p{N}|[^\s\p{L}\p{M}\p{N}]+/gu) ?? [];
}

function spell(word: string): number[] {
  const bytes = [...new TextEncoder().encode(word)];
  return bytes.map((byte, i) => (i + 1 === bytes.length ? LAST_BYTE + byte : byte));
}

/** More than there are tokens, so that one number tells two. */
const KEY_BASE = 2 ** 20;

function keyOf(left: number, right: number): number {
  return left * KEY_BASE + right;
}

function checkVocabulary(vocabulary: number): void {
  if (Number.isInteger(vocabulary) && vocabulary > FIRST_PAIR && vocabulary <= KEY_BASE) return;
  throw valueError(
    'byte pairs',
    'vocabulary',
    `an integer from ${FIRST_PAIR + 1} to ${KEY_BASE}`,
    vocabulary,
  );
}
