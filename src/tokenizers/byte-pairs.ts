// Byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909) learnt from a set's own captions: frequent words become tokens,
// rare ones are spelled in pieces, and nothing is unknown.
//
//   0 .. 255    a byte inside of a word        512     the end of a caption
//   256 .. 511  the last byte of a word        513 ..  pairs, in the order in which they were learnt
import { valueError } from '../tensor/errors.ts';
import { Chain, KEY_BASE, keyOf } from './chain.ts';
import { Heap } from './heap.ts';
import { type CountedWord, PairCounts } from './pair-counts.ts';
import { plainCaption } from './plain-caption.ts';
import { type Tokenizer, endAt } from './tokenizer.ts';

const LAST_BYTE = 256;
const END = 512;
const FIRST_PAIR = 513;

/** Two neighbouring tokens that become one. Plain JSON, to be stored with a model that was trained on them. */
export type BytePair = readonly [left: number, right: number];

/** What a run keeps of a tokenizer that was learnt from its captions. */
export interface LearntPairs {
  readonly vocabulary: number;
  readonly pairs: readonly BytePair[];
}

/** Words beyond these are too rare to be worth a token. */
const mostWords = 50_000;
/** Of them all: some hundred times what words of a language take, for text that has no words. */
const mostBytes = 2 ** 24;
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
  let bytes = 0;
  const words: CountedWord[] = [];
  for (const [word, count] of frequent) {
    const tokens = spell(word);
    if (bytes + tokens.length > mostBytes) continue;
    bytes += tokens.length;
    words.push({ tokens, count });
  }
  const pairs = new PairCounts(words);
  const learnt: BytePair[] = [];
  while (FIRST_PAIR + learnt.length < vocabulary) {
    const key = pairs.mostFrequent(fewest);
    if (key === undefined) break;
    pairs.merge(key, FIRST_PAIR + learnt.length);
    learnt.push([Math.floor(key / KEY_BASE), key % KEY_BASE]);
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
  function* tokensOf(caption: string): Generator<number> {
    for (const word of wordsOf(caption)) yield* join(spell(word), tokenOf);
  }
  return {
    name: 'byte-pairs',
    vocabulary,
    length,
    encode(caption) {
      const kept: number[] = [];
      for (const token of tokensOf(caption)) {
        if (kept.push(token) === length) break;
      }
      return {
        ...endAt(length, kept, END),
        // Who trains needs the beginning alone, of every caption in every epoch.
        get whole() {
          let count = 1;
          for (const _ of tokensOf(caption)) count++;
          return count;
        },
      };
    },
  };
}

/** More than a caption has. */
const PLACES = 2 ** 32;

/** Joins neighbours, the pair that was learnt first before others and from left to right, until none is left. */
function join(word: readonly number[], tokenOf: ReadonlyMap<number, number>): number[] {
  const chain = new Chain([word]);
  // Token and place in one number: the smallest is next.
  const ready = new Heap<number>((a, b) => a < b);
  const tokenAt = (at: number): number | undefined => tokenOf.get(chain.keyAt(at) ?? NaN);
  const see = (at: number): void => {
    const token = tokenAt(at);
    if (token !== undefined) ready.push(token * PLACES + at);
  };
  for (let at = 0; at < word.length; at++) see(at);
  for (let first = ready.pop(); first !== undefined; first = ready.pop()) {
    const [token, at] = [Math.floor(first / PLACES), first % PLACES];
    // One of the two may have become part of another pair.
    if (tokenAt(at) !== token) continue;
    chain.join(at, token);
    see(chain.previous(at));
    see(at);
  }
  return chain.tokens();
}

/** Runs of letters, single digits, and runs of other signs, as in CLIP. A run without end is several words. */
const wordPattern = /[\p{L}\p{M}]{1,1024}|\p{N}|[^\s\p{L}\p{M}\p{N}]{1,1024}/gu;

function* wordsOf(caption: string): Generator<string> {
  for (const [text] of plainCaption(caption).matchAll(wordPattern)) yield text;
}

function spell(word: string): number[] {
  const bytes = [...new TextEncoder().encode(word)];
  return bytes.map((byte, i) => (i + 1 === bytes.length ? LAST_BYTE + byte : byte));
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
