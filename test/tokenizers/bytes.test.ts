import { expect, it } from 'vitest';
import { openTokenizer } from '../../src/text/tokenizers/open.ts';
import { byteTokenizer } from '../../src/tokenizers/bytes.ts';

const END = 256;
const bytesOf = (text: string): number[] => [...new TextEncoder().encode(text)];

it('encodes bytes, then the end, then padding', () => {
  const { tokens, count } = byteTokenizer(8).encode('cat');
  expect(count).toBe(4);
  expect([...tokens]).toEqual([...bytesOf('cat'), END, END, END, END, END]);
});

it('gives the empty caption a token', () => {
  for (const empty of ['', ' \n']) expect(byteTokenizer(8).encode(empty).count).toBe(1);
});

it('makes no difference of case, spaces and the form of accents', () => {
  const { encode } = byteTokenizer(32);
  expect(encode('  Red\t  H\u0045ART e\u0301 ')).toEqual(encode('red heart \u00e9'));
});

it('cuts between characters', () => {
  const { encode } = byteTokenizer(8);
  expect([...encode('abcdefgh').tokens]).toEqual([...bytesOf('abcdefg'), END]);
  // The heart has 3 bytes, the last of which would be the 8th.
  const { tokens, count } = encode('abcde\u2665');
  expect(count).toBe(6);
  expect([...tokens]).toEqual([...bytesOf('abcde'), END, END, END]);
});

it('stays inside its vocabulary, whatever the text', () => {
  const { encode, vocabulary } = byteTokenizer(64);
  const { tokens } = encode('\ud800 \u{1f600} \u0000 \uffff');
  expect(tokens.every((token) => token >= 0 && token < vocabulary)).toBe(true);
});

it('is what "bytes" opens', async () => {
  expect(await openTokenizer('bytes', 64)).toMatchObject({ name: 'bytes', vocabulary: 257, length: 64 });
});

it('refuses a length without room for a caption', () => {
  expect(() => byteTokenizer(1)).toThrow('byteTokenizer: length must be an integer from 2, got 1');
});
