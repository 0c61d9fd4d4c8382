// A tokenizer.json of whole words, as the tools of Hugging Face write it.
import { writeFile } from 'node:fs/promises';

/** @param words those that it knows; others become [UNK] */
export async function writeWordTokenizer(path: string, words: readonly string[]): Promise<void> {
  const vocabulary = ['[END]', ...words, '[UNK]'];
  await writeFile(
    path,
    JSON.stringify({
      version: '1.0',
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: { type: 'Whitespace' },
      post_processor: {
        type: 'TemplateProcessing',
        single: [{ Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '[END]', type_id: 0 } }],
        pair: [],
        special_tokens: { '[END]': { id: '[END]', ids: [0], tokens: ['[END]'] } },
      },
      decoder: null,
      model: {
        type: 'WordLevel',
        vocab: Object.fromEntries(vocabulary.map((word, i) => [word, i])),
        unk_token: '[UNK]',
      },
    }),
  );
}
