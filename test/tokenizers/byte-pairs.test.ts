import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytePairTokenizer, learnBytePairs } from '../../src/tokenizers/byte-pairs.ts';
import { openTokenizer } from '../../src/text/tokenizers/open.ts';

const END = 512;
const inside = (letter: string): number => letter.charCodeAt(0);
const last = (letter: string): number => 256 + letter.charCodeAt(0);
const VOCABULARY = 600;

const captions = ['red heart', 'Red car', 'red hat', 'blue hat', 'a hat'];
const learn = (texts: Iterable<string> = captions) => learnBytePairs(texts, VOCABULARY);

function tokens(caption: string, length = 16): number[] {
  const encoded = bytePairTokenizer(learn(), VOCABULARY, length).encode(caption);
  return Array.from(encoded.tokens.subarray(0, encoded.count));
}

describe('byte pairs', () => {
  it('are learnt by how often they occur, and then of each other', () => {
    // "re", "ed" as the end of "red", "ha" and "at" as the end of "hat" occur three times each; then come pairs of those.
    const pairs = learn();
    expect(pairs.slice(0, 4)).toEqual([
      [inside('a'), last('t')],
      [inside('e'), last('d')],
      [inside('h'), 513],
      [inside('r'), 514],
    ]);
    expect(tokens('red hat')).toEqual([516, 515, END]);
  });

  it('spell what was too rare, and all that was never seen', () => {
    expect(tokens('car')).toEqual([inside('c'), inside('a'), last('r'), END]);
    expect(tokens('\u2665')).toEqual([0xe2, 0x99, 256 + 0xa5, END]);
    expect(tokens('')).toEqual([END]);
  });

  it('do not reach across words, whatever lies between them', () => {
    expect(tokens('RED\n  hat')).toEqual(tokens('red hat'));
    expect(tokens('redhat')).not.toEqual(tokens('red hat'));
    expect(tokens('12')).toEqual([last('1'), last('2'), END]);
  });

  it('are cut to the length, with the end', () => {
    expect(tokens('red hat red hat', 3)).toEqual([516, 515, END]);
  });

  it('do not depend on the order of the captions', () => {
    expect(learn(captions.toReversed())).toEqual(learn());
  });

  it('stop at the vocabulary, and survive JSON', () => {
    const few = learnBytePairs(captions, 515);
    expect(few).toEqual(learn().slice(0, 2));
    expect(JSON.parse(JSON.stringify(few))).toEqual(few);
    expect(learnBytePairs([], VOCABULARY)).toEqual([]);
  });

  it('lose nothing: the tokens of a word are its bytes', () => {
    const pairs = learn();
    const bytesOf = (token: number): number[] => {
      if (token < END) return [token % 256];
      return pairs[token - END - 1]!.flatMap((part) => bytesOf(part));
    };
    const { encode, vocabulary } = bytePairTokenizer(pairs, VOCABULARY, 4000);
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), (text) => {
        const encoded = encode(text);
        const ids = Array.from(encoded.tokens.subarray(0, encoded.count - 1));
        expect(ids.every((id) => id < vocabulary)).toBe(true);
        const wanted = text.normalize('NFC').toLowerCase().replaceAll(/\s/gu, '');
        expect(ids.flatMap(bytesOf)).toEqual([...new TextEncoder().encode(wanted)]);
      }),
    );
  });

  it('are the same as counting everything again after each pair', () => {
    const words = [
      'banana',
      'bananas',
      'bandana',
      'cabana',
      'cabanas',
      'ananas',
      'nana',
      'aaaa',
      'aaa',
      'anna',
    ];
    const spelled = words.map((word) =>
      [...word].map((letter, i) => (i + 1 < word.length ? inside(letter) : last(letter))),
    );
    const pairs = learnBytePairs(words, VOCABULARY);
    pairs.forEach(([left, right], n) => {
      const counts = new Map<string, number>();
      for (const word of spelled) {
        for (let i = 0; i + 1 < word.length; i++) {
          const key = `${word[i]} ${word[i + 1]}`;
          counts.set(key, (counts.get(key) ?? 0) + 1);
        }
      }
      expect(counts.get(`${left} ${right}`)).toBe(Math.max(...counts.values()));
      for (const word of spelled) {
        for (let i = 0; i + 1 < word.length; i++) {
          if (word[i] === left && word[i + 1] === right) word.splice(i, 2, END + 1 + n);
        }
      }
    });
    expect(pairs.length).toBeGreaterThan(5);
  });

  it('take a caption without a space in their stride', () => {
    const letters = Array.from({ length: 200_000 }, (_, i) => 'abcdefghij'[(i * i + (i >> 3)) % 10]).join('');
    const pairs = learnBytePairs([letters, `${letters}x`], 4096);
    const { encode } = bytePairTokenizer(pairs, 4096, 77);
    for (const caption of [letters, 'a'.repeat(200_000), '!'.repeat(200_000)])
      expect(encode(caption).count).toBe(77);
    expect(pairs.length).toBeGreaterThan(50);
    // Where each pair that is joined costs a walk over the word, this takes minutes.
  });

  it('look no further into a caption than it is kept, who asks for no more', () => {
    const { encode } = bytePairTokenizer([], 4096, 77);
    const letters = 'abcdefghij'.repeat(25_000);
    // All of it takes half a minute and more.
    for (let i = 0; i < 300; i++) expect(encode(letters).count).toBe(77);
    expect(encode(letters).whole).toBe(250_001);
  }, 15_000);

  it('join long words as short ones: the pair that was learnt first, from left to right', () => {
    const walk = (word: number[], pairs: readonly (readonly [number, number])[]): number[] => {
      let row = word;
      pairs.forEach(([left, right], n) => {
        const joined: number[] = [];
        for (let i = 0; i < row.length; i++) {
          const fits = row[i] === left && row[i + 1] === right;
          joined.push(fits ? END + 1 + n : row[i]!);
          if (fits) i++;
        }
        row = joined;
      });
      return row;
    };
    const words = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 60 }), {
      minLength: 1,
    });
    fc.assert(
      fc.property(words, (texts) => {
        const pairs = learnBytePairs(texts, VOCABULARY);
        const { encode } = bytePairTokenizer(pairs, VOCABULARY, 100);
        for (const text of texts) {
          const spelled = [...text].map((letter, i) => (i + 1 < text.length ? inside(letter) : last(letter)));
          const encoded = encode(text);
          expect([...encoded.tokens.subarray(0, encoded.count - 1)]).toEqual(walk(spelled, pairs));
        }
      }),
    );
  });

  it('are opened with what was learnt', async () => {
    const learnt = { vocabulary: VOCABULARY, pairs: learn() };
    const opened = await openTokenizer('byte-pairs', 8, learnt);
    expect(opened).toMatchObject({ name: 'byte-pairs', vocabulary: VOCABULARY, length: 8 });
    await expect(openTokenizer('byte-pairs', 8)).rejects.toThrow(
      /^model\.text\.tokenizer: byte-pairs are learnt when a run begins, .* Set it back to that one/,
    );
  });

  it('name what does not fit', () => {
    expect(() => learnBytePairs(captions, 513)).toThrow(
      'byte pairs: vocabulary must be an integer from 514 to',
    );
    expect(() => bytePairTokenizer([], VOCABULARY, 1)).toThrow(
      'bytePairTokenizer: length must be an integer from 2',
    );
    const problem = 'bytePairTokenizer: pair 1 must be of tokens that come before it, below 600, got 1,514';
    expect(() =>
      bytePairTokenizer(
        [
          [1, 2],
          [1, 514],
        ],
        VOCABULARY,
        8,
      ),
    ).toThrow(problem);
  });
});
