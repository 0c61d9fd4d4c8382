import { readText } from '../../checkpoint/read-file.ts';
import { fileError } from '../../tensor/errors.ts';
import { type Tokenizer, endAt } from './tokenizer.ts';

const ADVICE = 'Take the tokenizer.json of a text model on the Hugging Face hub, such as CLIP';

/**
 * The tokenizer that a tokenizer.json of the Hugging Face form describes. Its own settings of padding and truncation do not
 * matter.
 * @param length tokens of a caption (77 for CLIP), with those that begin and end it
 * @throws RectiflowError where the file cannot be read, is none of this form, or does not end a caption with a token
 */
export async function readTokenizer(path: string, length: number): Promise<Tokenizer> {
  return parseTokenizer(await readText(path, 'Check the path'), path, length);
}

/**
 * The same for a file that is in memory.
 * @param origin how errors call it
 */
export async function parseTokenizer(text: string, origin: string, length: number): Promise<Tokenizer> {
  const { Tokenizer: Encoder } = await import('@huggingface/tokenizers');
  const attempt = <T>(problem: string, action: () => T): T => {
    try {
      return action();
    } catch (error) {
      throw fileError(origin, `${problem}: ${(error as Error).message}`, ADVICE, error);
    }
  };
  const json = attempt('is no JSON', () => JSON.parse(text) as object);
  const encoder = attempt('is no tokenizer.json that can be used', () => new Encoder(json, {}));
  const encode = (caption: string): number[] =>
    attempt(`cannot encode "${caption}"`, () => encoder.encode(caption).ids);

  const vocabulary = 1 + [...encoder.get_vocab().values()].reduce((most, id) => Math.max(most, id), -1);
  const empty = encode('');
  const end = empty.at(-1);
  if (end === undefined) {
    throw fileError(origin, 'has no post_processor that ends a caption with a token of its own', ADVICE);
  }
  if (length < empty.length + 1) {
    const problem = `begins and ends captions with ${empty.length} tokens, so they need ${empty.length + 1}`;
    throw fileError(origin, `${problem}, found ${length}`, 'Raise model.text.length');
  }
  return {
    name: origin,
    vocabulary,
    length,
    encode(caption) {
      const ids = encode(caption);
      const unknown = ids.findIndex((id) => !(Number.isInteger(id) && id >= 0 && id < vocabulary));
      if (unknown >= 0) {
        const problem = `has no token for a part of "${caption}", and none for what is unknown`;
        throw fileError(origin, problem, ADVICE);
      }
      return endAt(length, ids.slice(0, -1), end);
    },
  };
}
