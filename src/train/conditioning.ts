import { builtInTokenizer, isBuiltIn } from '../tokenizers/built-in.ts';
import { type LearntPairs, bytePairTokenizer } from '../tokenizers/byte-pairs.ts';
import { byteTokenizer } from '../tokenizers/bytes.ts';
import type { Tokenizer } from '../tokenizers/tokenizer.ts';
import type { CaptionMeter } from '../data/caption-meter.ts';
import type { Annotation, ImageShape } from '../data/source.ts';
import type * as model from '../models/text-dit-config.ts';
import { configError, describeProblem } from '../tensor/config-error.ts';
import type { Shape } from '../tensor/shape.ts';
import type { ModelConfig, TextConfig } from './settings.ts';

/** Between what people know of a sample, and the numbers that a model is told. */
export interface Conditioning {
  /**
   * @param sampleShape of these samples
   * @returns the model's conditions of them, by name
   */
  encode(annotations: readonly Annotation[], sampleShape: Shape): Record<string, Int32Array | Float32Array>;
  /** Whether the model is told how images were cropped and resized. */
  readonly placement?: true;
  /** What a model that is told captions has to know of them. */
  readonly text?: model.TextConfig;
  /** Tells how much of a caption the model is told. */
  readonly meter?: CaptionMeter;
  /** What was learnt from the captions, and has to stay with the weights. */
  readonly learnt?: LearntPairs;
}

/** That of a model that is told captions. */
export type CaptionConditioning = Conditioning & {
  readonly text: model.TextConfig;
  readonly meter: CaptionMeter;
};

/**
 * What of a model's settings needs no file.
 * @param learnt of a model whose tokenizer was learnt from captions
 * @throws RectiflowError where captions are told by a file: a tokenizer.json, or embeddings
 */
export function conditioningOf(config: ModelConfig, learnt?: LearntPairs): Conditioning {
  return withSizes(config, ofSettings(config, learnt));
}

function ofSettings(config: ModelConfig, learnt?: LearntPairs): Conditioning {
  if (config.kind === 'text-dit') {
    const { tokenizer, embeddings, length } = config.text;
    if (embeddings !== undefined || !isBuiltIn(tokenizer)) throw needsFile(config.text);
    const told = tokenized(config.text, builtInTokenizer(tokenizer, length, learnt));
    return learnt ? { ...told, learnt } : told;
  }
  if (!('classes' in config) || config.classes === 0) return { encode: () => ({}) };
  return { encode: (annotations) => ({ labels: Int32Array.from(annotations, ({ label }) => label!) }) };
}

/** Where the model is told of each image how large it was, where it was cropped, and how large it is: tells that, too. */
export function withSizes(config: ModelConfig, conditioning: Conditioning): Conditioning {
  if (!('sizeConditioning' in config) || !config.sizeConditioning) return conditioning;
  return {
    ...conditioning,
    placement: true,
    encode: (annotations, sampleShape) => ({
      ...conditioning.encode(annotations, sampleShape),
      ...encodeSizes(annotations, sampleShape),
    }),
  };
}

/** `size` of samples: where nothing is known of one, it was never larger than it is, and nothing was cropped. */
export function encodeSizes(
  annotations: readonly Pick<Annotation, 'placement'>[],
  sampleShape: Shape,
): Record<'size', Float32Array> {
  const [, height, width] = sampleShape as ImageShape;
  const size = annotations.flatMap(({ placement }) => {
    const { original = [height, width], crop = [0, 0], target = [height, width] } = placement ?? {};
    return [...original, ...crop, ...target];
  });
  return { size: Float32Array.from(size) };
}

function needsFile({ embeddings, tokenizer }: TextConfig): Error {
  const [name, found] = embeddings === undefined ? ['tokenizer', tokenizer] : ['embeddings', embeddings];
  const wanted = 'bytes or byte-pairs as tokenizer and no embeddings, where no files are read';
  return configError('config', [describeProblem(['model', 'text', name], wanted, found)]);
}

/** The sizes of a model that is told captions, before its files are read. */
export function provisionalText(text: TextConfig): model.TextConfig {
  const { tokenizer, vocabulary, length } = text;
  const plain =
    tokenizer === 'byte-pairs' ? bytePairTokenizer([], vocabulary, length) : byteTokenizer(length);
  return tokenized(text, plain).text;
}

/** Tells captions as tokens. */
export function tokenized(
  { length, width, depth, heads }: TextConfig,
  tokenizer: Tokenizer,
): CaptionConditioning {
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
