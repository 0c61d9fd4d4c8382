import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkData } from '../../src/api/data.ts';
import { diagnose } from '../../src/api/doctor/diagnose.ts';
import { train } from '../../src/api/train.ts';
import { encodeCaptions } from '../../src/text/caption-cache.ts';
import { CaptionCensus, lostCaptions, untoldCaptions } from '../../src/check/caption-census.ts';
import type { CaptionMeter } from '../../src/data/caption-meter.ts';
import type { Source } from '../../src/data/source.ts';
import { byteTokenizer } from '../../src/tokenizers/bytes.ts';
import { bytePairTokenizer } from '../../src/tokenizers/byte-pairs.ts';
import { dataError } from '../../src/tensor/errors.ts';
import type { ConfigInput } from '../../src/config/config.ts';

const words: CaptionMeter = {
  length: 3,
  measure(caption) {
    if (caption === '?') throw dataError('words', 'has no token for "?"', 'Leave it out');
    const all = caption.split(' ');
    return { tokens: all.length, kept: all.slice(0, 3).join(' ') };
  },
};

function reportOf(captions: readonly string[], meter: CaptionMeter | undefined = words) {
  const census = new CaptionCensus(meter);
  for (const caption of captions) census.add(caption);
  return census.report();
}

describe('a census of captions', () => {
  it('counts those that are cut, and those that become the same by it', () => {
    const report = reportOf(['a b c d', 'a b c', 'A b c e', 'a b', 'x y z u', 'x y z u']);
    expect(report).toMatchObject({ count: 6, empty: 0, different: 5 });
    expect(report.tokens).toEqual({
      length: 3,
      longest: 4,
      mean: 21 / 6,
      cut: 4,
      merged: 2,
      untold: { count: 0 },
    });
    expect(lostCaptions(report)).toEqual([
      '4 of 6 captions are longer than model.text.length = 3 tokens (longest 4, mean 3.50): the model is not told the rest, ' +
        'and 2 different ones become the same as others, which it cannot tell apart. Set model.text.length to up to 4, or shorten them.',
    ]);
  });

  it('says nothing where nothing is lost', () => {
    expect(lostCaptions(reportOf(['a b', 'a c', 'a b']))).toEqual([]);
  });

  it('tells empty captions, and a set that has one caption only', () => {
    expect(lostCaptions(reportOf(['', ' ', 'a']))).toEqual([
      '2 of 3 captions are empty: the model is told nothing of these. Write them, or leave the samples out.',
    ]);
    expect(lostCaptions(reportOf(['a cat', 'A  cat']))).toEqual([
      'All 2 captions are the same: they tell a model nothing. Write others, or set data.condition to none.',
    ]);
  });

  it('tells those that no model can be told', () => {
    expect(untoldCaptions(reportOf(['a', '?', '?']))).toEqual([
      'The model can be told nothing of 2 of 3 captions: words: has no token for "?". Leave it out.',
    ]);
  });
});

describe('the whole length of a caption', () => {
  it.each([
    ['bytes', byteTokenizer(4)],
    ['byte pairs', bytePairTokenizer([], 600, 4)],
  ])('is told by %s beside what is kept of it', (_, tokenizer) => {
    const lengths = ['', 'abc', 'abcd', 'äöü', '\u{1f600}b'].map(
      (caption) => tokenizer.encode(caption).whole,
    );
    expect(lengths).toEqual([1, 4, 5, 7, 6]);
    expect(tokenizer.encode('abcdefgh').count).toBe(4);
  });
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'captions-'));
});
afterAll(() => rm(folder, { recursive: true }));

const captioned: Source = {
  name: 'captioned',
  count: 6,
  shape: [1, 4, 4],
  captions: true,
  read(index, out, offset) {
    for (let i = 0; i < 16; i++) out[offset + i] = ((index * 7 + i * 5) % 11) / 5 - 1;
    return { caption: this.caption!(index) as string };
  },
  caption: (index) => `a picture that is described at some length, the one of number ${index}`,
};

const configWith = (text: NonNullable<ConfigInput['model']>['text']): ConfigInput => ({
  name: 'captioned',
  data: { source: 'custom' },
  model: { width: 8, depth: 1, heads: 1, patchSize: 4, text: { width: 8, depth: 1, heads: 1, ...text } },
  train: { steps: 1, batchSize: 2, sampleEvery: 0, checkpointEvery: 0 },
  sample: { steps: 1, perClass: 1, prompts: ['a picture'] },
  backend: { threads: 1 },
});

it('several captions of one picture all count, and copies that have the same ones are no contradiction', async () => {
  const several: Source = {
    ...captioned,
    read(_, out, offset, { seed }) {
      out.fill(0.5, offset, offset + 15);
      return { caption: ['a cat', 'a mat'][seed % 2]! };
    },
    caption: (index) => (index < 5 ? ['a cat', 'a mat'] : ['a cat', 'a dog']),
  };
  const report = await checkData({ data: { source: 'custom' } }, { source: several });
  expect(report.captions).toMatchObject({ count: 12, different: 3 });
  expect(report.duplicates).toMatchObject({ count: 4, conflicts: { count: 1 } });
});

describe('captions that are cut', () => {
  const cut =
    /^6 of 6 captions are longer than model\.text\.length = 16 tokens \(longest \d+, .* 6 different ones become/;

  it('are told by check, doctor and train alike', async () => {
    const config = configWith({ tokenizer: 'bytes', length: 16 });
    const report = await checkData(config, { source: captioned });
    expect(report.captions?.tokens).toMatchObject({ length: 16, longest: 64, cut: 6, merged: 6 });
    expect(report.advice).toEqual([expect.stringMatching(cut)]);
    const checks = await diagnose(config, { source: captioned, overfitSeconds: 0 });
    const told = checks.filter(({ name }) => name === 'captions');
    expect(told).toEqual([
      { name: 'captions', status: 'ok', text: expect.stringContaining('64 at most') as string },
      { name: 'captions', status: 'warn', text: expect.stringMatching(cut) as string },
    ]);
    const notices: string[] = [];
    await train(config, { runs: folder, source: captioned, onNotice: (text) => notices.push(text) });
    expect(notices).toContainEqual(expect.stringMatching(cut));
  });

  it('are told of pairs that are learnt first, as they are where a config says no more than its data', async () => {
    const { captions } = await checkData({ data: { source: 'custom' } }, { source: captioned });
    expect(captions?.tokens).toMatchObject({ length: 32, cut: 0 });
    const short = await checkData(configWith({ vocabulary: 600, length: 4 }), { source: captioned });
    expect(short.captions?.tokens).toMatchObject({ length: 4, cut: 6, merged: 6 });
  });

  it('are told of embeddings, and captions that are not among them, before a run has a folder', async () => {
    const path = join(folder, 'captions.safetensors');
    const tokenizer = byteTokenizer(80);
    const encoder = {
      name: 'encoder',
      tokenizer,
      encode: async (captions: readonly string[]) =>
        captions.map((caption) => {
          const { count } = tokenizer.encode(caption);
          return { embeddings: new Float32Array(2 * count), pooled: new Float32Array(2) };
        }),
    };
    const captions = Array.from({ length: 5 }, (_, index) => captioned.caption!(index) as string);
    await encodeCaptions(path, { captions, encoder });
    const config = configWith({ embeddings: path, length: 16 });
    const { findings } = await checkData(config, { source: captioned });
    expect(findings).toEqual([
      {
        about: 'captions',
        status: 'fail',
        text: expect.stringMatching(
          /^The model can be told nothing of 1 of 6 captions: .*number 5" is not among/,
        ) as string,
      },
      {
        about: 'captions',
        status: 'warn',
        text: expect.stringMatching(/^5 of 6 captions are longer than model\.text\.length = 16/) as string,
      },
    ]);
    const checks = await diagnose(config, { source: captioned, overfitSeconds: 0 });
    const failed = checks.filter(({ status, name }) => status === 'fail' && name !== 'learning rate');
    expect(failed.map(({ name }) => name)).toEqual(['captions']);
    const runs = join(folder, 'none');
    await expect(train(config, { runs, source: captioned })).rejects.toThrow('nothing of 1 of 6 captions');
  });
});
