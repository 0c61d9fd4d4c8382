import type { BadSampleOptions } from '../data/bad-samples.ts';
import { captionsOf } from '../data/captions.ts';
import { SampleReader } from '../data/sample-reader.ts';
import type { Source } from '../data/source.ts';
import { type LearntPairs, learnBytePairs } from '../tokenizers/byte-pairs.ts';
import type { ModelConfig, TextConfig } from './settings.ts';

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

/** As `learnTokenizer` does, for the settings of its text. */
export async function learnFrom(
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
