import { digestFile } from '../checkpoint/durable.ts';
import { CaptionCache } from '../data/caption-cache.ts';
import { captionsOf } from '../data/captions.ts';
import type { BadSampleOptions } from '../data/bad-samples.ts';
import { SampleReader } from '../data/sample-reader.ts';
import { Fingerprint } from '../data/fingerprint.ts';
import type { Annotation, Source } from '../data/source.ts';
import { bytePairTokenizer, learnBytePairs } from '../data/tokenizers/byte-pairs.ts';
import { byteTokenizer } from '../data/tokenizers/bytes.ts';
import { type LearntPairs, openTokenizer } from '../data/tokenizers/open.ts';
import type { Tokenizer } from '../data/tokenizers/tokenizer.ts';
import type * as model from '../models/text-dit-config.ts';
import type { ModelConfig, TextConfig } from './config.ts';

/** Between what people know of a sample, and the numbers that a model is told. */
export interface Conditioning {
  /** @returns the model's conditions of these samples, by name */
  encode(annotations: readonly Annotation[]): Record<string, Int32Array | Float32Array>;
  /** What a model that is told captions has to know of them. */
  readonly text?: model.TextConfig;
  /** What was learnt from the captions, and has to stay with the weights. */
  readonly learnt?: LearntPairs;
}

type WithText = Conditioning & { readonly text: model.TextConfig };

/**
 * @param learnt of a model whose tokenizer was learnt from captions
 * @throws RectiflowError when the tokenizer or the embeddings of a model that is told captions cannot be read
 */
export async function openConditioning(config: ModelConfig, learnt?: LearntPairs): Promise<Conditioning> {
  if (config.kind === 'text-dit') {
    const { embeddings, tokenizer, length } = config.text;
    if (embeddings !== undefined) return embedded(await CaptionCache.open(embeddings), length);
    const opened = tokenized(config.text, await openTokenizer(tokenizer, length, learnt));
    return learnt ? { ...opened, learnt } : opened;
  }
  if (config.classes === 0) return { encode: () => ({}) };
  return { encode: (annotations) => ({ labels: Int32Array.from(annotations, ({ label }) => label!) }) };
}

/** Tells files that make captions what the model is told of them from others: a tokenizer, or embeddings. */
export async function captionEncoderOf(
  config: ModelConfig,
  { text }: Conditioning,
): Promise<string | undefined> {
  if (config.kind !== 'text-dit' || text === undefined) return undefined;
  if (text.kind === 'embeddings') {
    // Another encoder makes something else of the empty caption.
    const { embeddings, pooled } = text.empty;
    return new Fingerprint().bytes(Float32Array.from(embeddings)).bytes(Float32Array.from(pooled)).end();
  }
  const { tokenizer } = config.text;
  return ['bytes', 'byte-pairs'].includes(tokenizer) ? undefined : (await digestFile(tokenizer)).sha256;
}

/** Captions beyond these teach a tokenizer nothing new. */
const enoughCaptions = 50_000;

/**
 * Learns a tokenizer from captions all over the set, where the model asks for one.
 * @throws RectiflowError of a caption that cannot be read, where that is not to be skipped
 */
export async function learnTokenizer(
  config: ModelConfig,
  source: Source,
  options: BadSampleOptions = {},
): Promise<LearntPairs | undefined> {
  if (config.kind !== 'text-dit' || config.text.tokenizer !== 'byte-pairs') return undefined;
  const { vocabulary } = config.text;
  const captions: string[] = [];
  for await (const caption of captionsOf(source, new SampleReader(source, options), enoughCaptions))
    captions.push(caption);
  return { vocabulary, pairs: learnBytePairs(captions, vocabulary) };
}

/** The sizes of a model that is told captions, before its files are read. */
export function provisionalText(text: TextConfig): model.TextConfig {
  const { tokenizer, vocabulary, length } = text;
  const plain =
    tokenizer === 'byte-pairs' ? bytePairTokenizer([], vocabulary, length) : byteTokenizer(length);
  return tokenized(text, plain).text;
}

function tokenized({ length, width, depth, heads }: TextConfig, tokenizer: Tokenizer): WithText {
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

function embedded(cache: CaptionCache, length: number): WithText {
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
