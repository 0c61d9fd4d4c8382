import { CaptionCache } from '../text/caption-cache.ts';
import { CaptionCensus, type CaptionMeter, lostCaptions, untoldCaptions } from '../check/caption-census.ts';
import { captionsOf } from '../text/captions.ts';
import type { BadSampleOptions } from '../data/bad-samples.ts';
import { SampleReader } from '../data/sample-reader.ts';
import type { Annotation, Source } from '../data/source.ts';
import { bytePairTokenizer, learnBytePairs } from '../text/tokenizers/byte-pairs.ts';
import { byteTokenizer } from '../text/tokenizers/bytes.ts';
import { type LearntPairs, openTokenizer } from '../text/tokenizers/open.ts';
import type { Tokenizer } from '../text/tokenizers/tokenizer.ts';
import type * as model from '../models/text-dit-config.ts';
import { dataError } from '../tensor/errors.ts';
import type { ModelConfig, TextConfig } from '../config/config.ts';

/** Between what people know of a sample, and the numbers that a model is told. */
export interface Conditioning {
  /** @returns the model's conditions of these samples, by name */
  encode(annotations: readonly Annotation[]): Record<string, Int32Array | Float32Array>;
  /** What a model that is told captions has to know of them. */
  readonly text?: model.TextConfig;
  /** Tells how much of a caption the model is told. */
  readonly meter?: CaptionMeter;
  /** What was learnt from the captions, and has to stay with the weights. */
  readonly learnt?: LearntPairs;
}

type WithText = Conditioning & { readonly text: model.TextConfig; readonly meter: CaptionMeter };

/**
 * @param learnt of a model whose tokenizer was learnt from captions
 * @throws RectiflowError when the tokenizer or the embeddings of a model that is told captions cannot be read
 */
export async function openConditioning(config: ModelConfig, learnt?: LearntPairs): Promise<Conditioning> {
  if (config.kind === 'text-dit') {
    const opened = await openText(config.text, learnt);
    return learnt ? { ...opened, learnt } : opened;
  }
  if (config.classes === 0) return { encode: () => ({}) };
  return { encode: (annotations) => ({ labels: Int32Array.from(annotations, ({ label }) => label!) }) };
}

async function openText(text: TextConfig, learnt?: LearntPairs): Promise<WithText> {
  const { embeddings, tokenizer, length } = text;
  if (embeddings !== undefined) return embedded(await CaptionCache.open(embeddings), length);
  return tokenized(text, await openTokenizer(tokenizer, length, learnt));
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
  return config.kind === 'text-dit' ? learnFrom(config.text, source, options) : undefined;
}

async function learnFrom(
  { tokenizer, embeddings, vocabulary }: TextConfig,
  source: Source,
  options: BadSampleOptions,
): Promise<LearntPairs | undefined> {
  if (tokenizer !== 'byte-pairs' || embeddings !== undefined) return undefined;
  const captions: string[] = [];
  for await (const caption of captionsOf(source, new SampleReader(source, options), enoughCaptions))
    captions.push(caption);
  return { vocabulary, pairs: learnBytePairs(captions, vocabulary) };
}

/**
 * What a training on these captions would be told of them: a tokenizer is learnt where the model asks for one, from those that
 * can be read.
 * @returns undefined where there are no captions
 * @throws RectiflowError when the tokenizer or the embeddings cannot be read
 */
export async function captionMeter(text: TextConfig, source: Source): Promise<CaptionMeter | undefined> {
  if (!source.captions) return undefined;
  const learnt = await learnFrom(text, source, { onBadSample: 'skip', whole: Infinity });
  return (await openText(text, learnt)).meter;
}

/** Captions that are measured when a training begins, and where each takes reading a sample. */
const enoughMeasured = { alone: 10_000, read: 500 } as const;

/**
 * What a model will not be told of the captions that it is trained on, as sentences.
 * @throws RectiflowError where it can be told nothing of one: one that was not encoded, say
 */
export async function surveyCaptions(
  source: Source,
  meter: CaptionMeter,
  options: BadSampleOptions = {},
): Promise<string[]> {
  const census = new CaptionCensus(meter);
  const most = source.caption ? enoughMeasured.alone : enoughMeasured.read;
  for await (const caption of captionsOf(source, new SampleReader(source, options), most))
    census.add(caption);
  const report = census.report();
  const [untold] = untoldCaptions(report);
  if (untold !== undefined) throw dataError(source.name, untold, 'See all with: rectiflow data check');
  return lostCaptions(report);
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
    meter: {
      length,
      measure(caption) {
        const encoded = tokenizer.encode(caption);
        return { tokens: encoded.whole, kept: encoded.tokens.subarray(0, encoded.count).join(' ') };
      },
    },
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
    meter: { length, measure: (caption) => ({ tokens: cache.tokensOf(caption) }) },
    encode: (annotations) =>
      cache.conditions(
        annotations.map(({ caption }) => caption!),
        length,
      ),
  };
}
