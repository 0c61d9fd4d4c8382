import { CaptionCache } from '../data/caption-cache.ts';
import type { Annotation } from '../data/source.ts';
import { byteTokenizer } from '../data/tokenizers/bytes.ts';
import { openTokenizer } from '../data/tokenizers/open.ts';
import type { Tokenizer } from '../data/tokenizers/tokenizer.ts';
import type * as model from '../models/text-dit-config.ts';
import type { ModelConfig, TextConfig } from './config.ts';

/** Between what people know of a sample, and the numbers that a model is told. */
export interface Conditioning {
  /** @returns the model's conditions of these samples, by name */
  encode(annotations: readonly Annotation[]): Record<string, Int32Array | Float32Array>;
  /** What a model that is told captions has to know of them. */
  readonly text?: model.TextConfig;
}

/** @throws RectiflowError when the tokenizer or the embeddings of a model that is told captions cannot be read */
export async function openConditioning(config: ModelConfig): Promise<Conditioning> {
  if (config.kind === 'text-dit') {
    const { embeddings, tokenizer, length } = config.text;
    if (embeddings !== undefined) return embedded(await CaptionCache.open(embeddings), length);
    return tokenized(config.text, await openTokenizer(tokenizer, length));
  }
  if (config.classes === 0) return { encode: () => ({}) };
  return { encode: (annotations) => ({ labels: Int32Array.from(annotations, ({ label }) => label!) }) };
}

/** The sizes of a model that is told captions, before its files are read: those of the tokenizer that needs none. */
export function provisionalText(text: TextConfig): model.TextConfig {
  return tokenized(text, byteTokenizer(text.length)).text;
}

function tokenized(
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

function embedded(cache: CaptionCache, length: number): Required<Conditioning> {
  const { width } = cache;
  const { embeddings, pooled } = cache.get('');
  return {
    text: {
      kind: 'embeddings',
      length,
      width,
      empty: { embeddings: embeddings.subarray(0, length * width), pooled },
    },
    encode: (annotations) =>
      cache.conditions(
        annotations.map(({ caption }) => caption!),
        length,
      ),
  };
}
