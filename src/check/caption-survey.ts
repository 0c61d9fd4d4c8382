// What a training on a set's captions would be told of them.
import type { BadSampleOptions } from '../data/bad-samples.ts';
import type { CaptionMeter } from '../data/caption-meter.ts';
import { captionsOf } from '../data/captions.ts';
import { SampleReader } from '../data/sample-reader.ts';
import type { Source } from '../data/source.ts';
import { dataError } from '../tensor/errors.ts';
import { openCaptions } from '../text/conditioning.ts';
import { learnFrom } from '../train/learn-tokenizer.ts';
import type { TextConfig } from '../train/settings.ts';
import { CaptionCensus, lostCaptions, untoldCaptions } from './caption-census.ts';

/**
 * What a training on these captions would be told of them: a tokenizer is learnt where the model asks for one, from those that
 * can be read.
 * @returns undefined where there are no captions
 * @throws RectiflowError when the tokenizer or the embeddings cannot be read
 */
export async function captionMeter(text: TextConfig, source: Source): Promise<CaptionMeter | undefined> {
  if (!source.captions) return undefined;
  const learnt = await learnFrom(text, source, { onBadSample: 'skip', whole: Infinity });
  return (await openCaptions(text, learnt)).meter;
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
