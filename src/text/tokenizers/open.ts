import { RectiflowError } from '../../tensor/errors.ts';
import { type BytePair, bytePairTokenizer } from './byte-pairs.ts';
import { byteTokenizer } from './bytes.ts';
import { readTokenizer } from './tokenizer-file.ts';
import type { Tokenizer } from './tokenizer.ts';

/** What a run keeps of a tokenizer that was learnt from its captions. */
export interface LearntPairs {
  readonly vocabulary: number;
  readonly pairs: readonly BytePair[];
}

/**
 * @param name `bytes`, `byte-pairs`, or the path of a tokenizer.json
 * @param length tokens of a caption
 * @param learnt for byte-pairs
 * @throws RectiflowError where the file cannot be read or used
 */
export async function openTokenizer(name: string, length: number, learnt?: LearntPairs): Promise<Tokenizer> {
  if (name === 'bytes') return byteTokenizer(length);
  if (name !== 'byte-pairs') return readTokenizer(name, length);
  if (learnt === undefined) {
    throw new RectiflowError(
      'config',
      'model.text.tokenizer: byte-pairs are learnt when a run begins, and nothing was learnt here: the run began with another ' +
        'tokenizer. Set it back to that one, or start a new run.',
    );
  }
  return bytePairTokenizer(learnt.pairs, learnt.vocabulary, length);
}
