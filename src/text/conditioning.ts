// What a model is told of samples, where captions are told by files: a tokenizer.json, or embeddings that were made before.
import type { LearntPairs } from '../tokenizers/byte-pairs.ts';
import {
  type CaptionConditioning,
  type Conditioning,
  conditioningOf,
  tokenized,
  withSizes,
} from '../train/conditioning.ts';
import type { ModelConfig, TextConfig } from '../train/settings.ts';
import { CaptionCache } from './caption-cache.ts';
import { openTokenizer } from './tokenizers/open.ts';

/**
 * @param learnt of a model whose tokenizer was learnt from captions
 * @throws RectiflowError when the tokenizer or the embeddings of a model that is told captions cannot be read
 */
export async function openConditioning(config: ModelConfig, learnt?: LearntPairs): Promise<Conditioning> {
  if (config.kind !== 'text-dit') return conditioningOf(config);
  const opened = withSizes(config, await openCaptions(config.text, learnt));
  return learnt ? { ...opened, learnt } : opened;
}

/** Throws as `openConditioning` does. */
export async function openCaptions(text: TextConfig, learnt?: LearntPairs): Promise<CaptionConditioning> {
  const { embeddings, tokenizer, length } = text;
  if (embeddings !== undefined) return embedded(await CaptionCache.open(embeddings), length);
  return tokenized(text, await openTokenizer(tokenizer, length, learnt));
}

function embedded(cache: CaptionCache, length: number): CaptionConditioning {
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
