import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTokenizer } from '../../../src/text/tokenizers/open.ts';
import { parseTokenizer } from '../../../src/text/tokenizers/tokenizer-file.ts';
import { END, START, clip, id, vocab } from './clip.ts';

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

  it('a pattern that takes ages', async () => {
    const pattern = { type: 'Split', pattern: { Regex: '^(a+)+$' }, behavior: 'Isolated', invert: false };
    const { encode } = await open({ ...clip, normalizer: null, pre_tokenizer: pattern });
    const caption = `${'a'.repeat(100)}!`;
    const problem = `tokenizer.json: took more than 5 s to encode "${'a'.repeat(60)}...", and was stopped.`;
    expect(() => encode(caption)).toThrow(problem);
    expect(encode('a!').count).toBeGreaterThan(1);
    for (let i = 0; i < 2; i++) expect(() => encode(caption)).toThrow('and was stopped');
    expect(() => encode(caption)).toThrow(
      'tokenizer.json: was stopped at 3 captions, and is not tried with "aaaa',
    );
  });

  it.each([2 ** 31, 2 ** 53, 1e300, 2.5])('a token with the number %s', async (token) => {
    const model = { ...clip.model, vocab: { ...clip.model.vocab, huge: token } };
    await expect(open({ ...clip, model })).rejects.toThrow(
      /^tokenizer\.json: gives the token "huge" the number \d/,
    );
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
