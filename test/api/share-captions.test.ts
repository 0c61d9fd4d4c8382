import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { shareRun } from '../../src/api/share/run.ts';
import { train } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { encodeCaptions } from '../../src/text/caption-cache.ts';
import type { CaptionEncoder } from '../../src/text/text-encoder.ts';
import { byteTokenizer } from '../../src/tokenizers/bytes.ts';
import type { TextModel } from '../../src/train/settings.ts';
import { temporaryFolder } from '../support/cli.ts';
import { writePhotos } from '../support/photos.ts';
import { writeWordTokenizer } from '../support/word-tokenizer.ts';

const backend = referenceBackend();
let folder: string;
let photos: string;
let page: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  page = join(folder, 'page');
  await mkdir(page);
  await writeFile(join(page, 'index.html'), '<!doctype html>');
  photos = await writePhotos(join(folder, 'photos'), 4);
  for (const name of await readdir(photos, { recursive: true }))
    if (/\.\w+$/.test(name)) await writeFile(join(photos, name.replace(/\.\w+$/, '.txt')), 'a picture');
});

async function refusalOf(text: Partial<TextModel['text']>): Promise<string> {
  const { run } = await train(
    {
      name: 'told',
      data: { source: 'folder', path: photos, size: 8 },
      model: { width: 16, depth: 1, heads: 2, patchSize: 4, text },
      train: { steps: 1, batchSize: 2, sampleEvery: 0 },
      sample: { steps: 2, perClass: 1 },
    },
    { runs: join(folder, 'runs'), backend },
  );
  const to = join(folder, 'refused');
  const refusal = await shareRun(run, { to, page, backend }).then(String, (error: Error) => error.message);
  expect(existsSync(to)).toBe(false);
  return refusal;
}

describe('a model whose captions a page could not read is refused', () => {
  const advice = 'Train with model.text.tokenizer bytes or byte-pairs to share it';

  it('where a tokenizer.json makes tokens of them', async () => {
    const tokenizer = join(folder, 'tokenizer.json');
    await writeWordTokenizer(tokenizer, ['a', 'picture']);
    expect(await refusalOf({ tokenizer, width: 16, depth: 1, heads: 2, length: 6 })).toContain(
      `its captions are told by a tokenizer of a file, which the page cannot read. ${advice}`,
    );
  });

  it('where a text encoder has made embeddings of them', async () => {
    const embeddings = join(folder, 'captions.safetensors');
    const tokenizer = byteTokenizer(16);
    const encoder: CaptionEncoder = {
      name: 'tiny',
      tokenizer,
      encode: async (captions) =>
        captions.map((caption) => ({
          embeddings: new Float32Array(4 * tokenizer.encode(caption).count).fill(0.5),
          pooled: Float32Array.of(1, 2, 3, 4),
        })),
    };
    await encodeCaptions(embeddings, { captions: ['a picture'], encoder });
    expect(await refusalOf({ embeddings })).toContain(
      `its captions are told by embeddings of a file, which the page cannot read. ${advice}`,
    );
  });
});
