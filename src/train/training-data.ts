// The data of a training, as its model knows them, and where in them it begins or goes on.
import { type HeldOutSplit, holdOut } from '../data/hold-out.ts';
import type { SamplerPosition } from '../data/sampler.ts';
import type { Source } from '../data/source.ts';
import type { LearntPairs } from '../tokenizers/byte-pairs.ts';
import { type Conditioning, conditioningOf } from './conditioning.ts';
import { learntIn } from './data-record.ts';
import { learnTokenizer } from './learn-tokenizer.ts';
import type { StoredCheckpoint } from './run-store.ts';
import type { TrainingConfig } from './settings.ts';
import { stateOf } from './trainer-state.ts';

export interface TrainingData {
  /** The samples that are trained on. */
  readonly source: Source;
  /** Where some are kept out of training. */
  readonly split: HeldOutSplit | undefined;
  readonly conditioning: Conditioning;
  readonly position: SamplerPosition;
  /** What the user should know of them, each a sentence. */
  readonly notices: readonly string[];
}

export interface TrainingDataOptions {
  readonly config: TrainingConfig;
  readonly source: Source;
  /** Where to go on; by default at the first step. */
  readonly checkpoint?: StoredCheckpoint | undefined;
  /** `Conditioning.learnt` of the training that goes on, where its tokenizer was learnt from captions and the checkpoint does not tell it. */
  readonly learnt?: LearntPairs | undefined;
  readonly onNotice?: ((text: string) => void) | undefined;
}

/**
 * Data that need no file beside their source, and that are those of the checkpoint.
 * @throws RectiflowError where captions or the samples that are held out cannot be had
 */
export async function trainingData(options: TrainingDataOptions): Promise<TrainingData> {
  const { config, source: given, checkpoint } = options;
  const split = splitOf(config, given);
  const source = split?.trained ?? given;
  const known = checkpoint ? learntIn(checkpoint) : await learnFromData(options, source);
  const learnt = options.learnt ?? known;
  const conditioning = conditioningOf(config.model, learnt);
  return { source, split, conditioning, position: stateOf(checkpoint).position, notices: [] };
}

/** The samples that a config keeps out of training. */
export function splitOf({ heldOut, seed }: TrainingConfig, source: Source): HeldOutSplit | undefined {
  return heldOut.count > 0 ? holdOut(source, heldOut.count, seed) : undefined;
}

/** The tokenizer that a config asks for, where it is learnt from the captions. */
export function learnFromData(
  { config, onNotice }: Pick<TrainingDataOptions, 'config' | 'onNotice'>,
  source: Source,
): Promise<LearntPairs | undefined> {
  return learnTokenizer(config.model, source, {
    ...config.loader,
    onBad: ({ message }) => onNotice?.(`skipped while the tokenizer is learnt: ${message}`),
  });
}
