import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTokenizer } from '../../../src/data/tokenizers/open.ts';
import { parseTokenizer } from '../../../src/data/tokenizers/tokenizer-file.ts';

const words = ['red', 'heart', 'cat'];
const letters = [...new Set(words.join(''))].toSorted();
const START = '<|startoftext|>';
const END = '<|endoftext|>';

/** Merges that build each word from its letters, the last of which carries the suffix. */
const merges = words.flatMap((word) => {
  const parts = [...word.slice(0, -1), `${word.at(-1)}</w>`];
  return parts.slice(1).map((part, i) => [parts.slice(0, i + 1).join(''), part]);
});
const pieces = [
  ...letters,
  ...letters.map((letter) => `${letter}</w>`),
  ...merges.map((pair) => pair.join('')),
];
const vocab = Object.fromEntries([...pieces, START, END].map((piece, id) => [piece, id]));
const id = (piece: string): number => vocab[piece]!;

/** The form of CLIP's tokenizer.json, with three words. */
const clip = {
  version: '1.0',
  truncation: { max_length: 3, strategy: 'LongestFirst', stride: 0 },
  padding: { strategy: { Fixed: 5 }, pad_id: 0, pad_token: 'a', pad_type_id: 0, direction: 'Left' },
  added_tokens: [START, END].map((content) => ({
    id: id(content),
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: content === START,
    special: true,
  })),
  normalizer: {
    type: 'Sequence',
    normalizers: [
      { type: 'NFC' },
      { type: 'Replace', pattern: { Regex: '\\s+' }, content: ' ' },
      { type: 'Lowercase' },
    ],
  },
  pre_tokenizer: {
    type: 'Sequence',
    pretokenizers: [
      {
        type: 'Split',
        pattern: { Regex: "'s|'t|'re|'ve|'m|'ll|'d|[\\p{L}]+|[\\p{N}]|[^\\s\\p{L}\\p{N}]+" },
        behavior: 'Removed',
        invert: true,
      },
      { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true },
    ],
  },
  post_processor: {
    type: 'RobertaProcessing',
    sep: [END, id(END)],
    cls: [START, id(START)],
    trim_offsets: false,
    add_prefix_space: false,
  },
  decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
  model: {
    type: 'BPE',
    dropout: null,
    unk_token: END,
    continuing_subword_prefix: '',
    end_of_word_suffix: '</w>',
    fuse_unk: false,
    vocab,
    merges: merges.map((pair) => pair.join(' ')),
  },
};

const open = (json: unknown, length = 8) => parseTokenizer(JSON.stringify(json), 'tokenizer.json', length);

describe('a tokenizer.json like that of CLIP', () => {
  it('merges pairs of a word, whose end is part of its last token', async () => {
    const { encode, vocabulary, length } = await open(clip);
    expect([vocabulary, length]).toEqual([Object.keys(vocab).length, 8]);
    const { tokens, count } = encode('Red  HEART');
    expect(count).toBe(4);
    expect([...tokens]).toEqual([id(START), id('red</w>'), id('heart</w>'), ...Array(5).fill(id(END))]);
  });

  it('has pieces of words that it does not know', async () => {
    const { encode } = await open(clip);
    const spelled = ['ca', 'r', 'e</w>'].map(id);
    expect([...encode('care').tokens]).toEqual([id(START), ...spelled, ...Array(4).fill(id(END))]);
  });

  it('cuts a long caption and keeps its end', async () => {
    const { tokens, count } = (await open(clip, 4)).encode('red heart cat red');
    expect(count).toBe(4);
    expect([...tokens]).toEqual([id(START), id('red</w>'), id('heart</w>'), id(END)]);
  });

  it('begins and ends the empty caption', async () => {
    expect((await open(clip)).encode('').count).toBe(2);
  });

  it('does not heed the settings of padding and truncation in the file', async () => {
    const { truncation: _t, padding: _p, ...plain } = clip;
    expect((await open(clip)).encode('red cat heart cat')).toEqual(
      (await open(plain)).encode('red cat heart cat'),
    );
  });
});

describe('names what is wrong:', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'rectiflow-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('a missing file', async () => {
    const path = join(folder, 'none.json');
    await expect(openTokenizer(path, 77)).rejects.toThrow(`${path}: no such file or folder. Check the path.`);
  });

  it('a broken file', async () => {
    const path = join(folder, 'broken.json');
    await writeFile(path, JSON.stringify(clip).slice(0, 100));
    await expect(openTokenizer(path, 77)).rejects.toThrow(
      /broken\.json: is no JSON: .* Take the tokenizer\.json of/,
    );
  });

  it('JSON of another kind', async () => {
    const problem =
      'tokenizer.json: is no tokenizer.json that can be used: Tokenizer must contain a "model" property';
    await expect(open({ vocab: {} })).rejects.toThrow(problem);
    await expect(open([])).rejects.toThrow('is no tokenizer.json that can be used');
  });

  it('parts that are unknown', async () => {
    const problem = 'is no tokenizer.json that can be used: Unknown Normalizer type: Future';
    await expect(open({ ...clip, normalizer: { type: 'Future' } })).rejects.toThrow(problem);
  });

  it('captions that do not end', async () => {
    const problem = 'has no post_processor that ends a caption';
    await expect(open({ ...clip, post_processor: null })).rejects.toThrow(problem);
  });

  it('too few tokens', async () => {
    const problem =
      'begins and ends captions with 2 tokens, so they need 3, found 2. Raise model.text.length.';
    await expect(open(clip, 2)).rejects.toThrow(problem);
  });

  it('text without tokens', async () => {
    const { encode } = await open({ ...clip, model: { ...clip.model, unk_token: '<unk>' } });
    expect(encode('red').count).toBe(3);
    expect(() => encode('zoo')).toThrow('has no token for a part of "zoo", and none for what is unknown');
  });
});
