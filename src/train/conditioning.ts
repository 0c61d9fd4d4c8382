import type { Annotation } from '../data/source.ts';
import { byteTokenizer } from '../data/tokenizers/bytes.ts';
import { openTokenizer } from '../data/tokenizers/open.ts';
import type { Tokenizer } from '../data/tokenizers/tokenizer.ts';
import type { TokenTextConfig } from '../models/text-dit-config.ts';
import type { ModelConfig, TextConfig } from './config.ts';

/** Between what people know of a sample, and the numbers that a model is told. */
export interface Conditioning {
  /** @returns the model's conditions of these samples, by name */
  encode(annotations: readonly Annotation[]): Record<string, Int32Array>;
  /** What a model that is told captions has to know of them. */
  readonly text?: TokenTextConfig;
}

/** @throws RectiflowError when the tokenizer of a model that is told captions cannot be read */
export async function openConditioning(model: ModelConfig): Promise<Conditioning> {
  if (model.kind === 'text-dit') {
    const { tokenizer, length } = model.text;
    return textConditioning(model.text, await openTokenizer(tokenizer, length));
  }
  if (model.classes === 0) return { encode: () => ({}) };
  return { encode: (annotations) => ({ labels: Int32Array.from(annotations, ({ label }) => label!) }) };
}

/** The sizes of a model that is told captions, before its tokenizer is there: those of the tokenizer that needs no file. */
export function provisionalText(text: TextConfig): TokenTextConfig {
  return textConditioning(text, byteTokenizer(text.length)).text;
}

function textConditioning(
  { length, width, depth, heads }: TextConfig,
  tokenizer: Tokenizer,
): Required<Conditioning> {
  const { tokens: padded, count } = tokenizer.encode('');
  const empty = Array.from(padded.subarray(0, count));
  return {
    text: { kind: 'tokens', vocabulary: tokenizer.vocabulary, length, width, depth, heads, empty },
    encode(annotations) {
      const tokens = new Int32Array(annotations.length * length);
      const lengths = new Int32Array(annotations.length);
      annotations.forEach(({ caption }, i) => {
        const encoded = tokenizer.encode(caption!);
        tokens.set(encoded.tokens, i * length);
        lengths[i] = encoded.count;
      });
      return { tokens, length: lengths };
    },
  };
}
