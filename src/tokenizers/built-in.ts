import { RectiflowError } from '../tensor/errors.ts';
import { type LearntPairs, bytePairTokenizer } from './byte-pairs.ts';
import { byteTokenizer } from './bytes.ts';
import type { Tokenizer } from './tokenizer.ts';

/** Those that need no file. */
const builtIn = ['bytes', 'byte-pairs'] as const;
export type BuiltInTokenizer = (typeof builtIn)[number];

export function isBuiltIn(name: string): name is BuiltInTokenizer {
  return builtIn.some((each) => each === name);
}

/**
 * @param length tokens of a caption
 * @param learnt for byte-pairs
 * @throws RectiflowError for byte-pairs without what was learnt
 */
export function builtInTokenizer(name: BuiltInTokenizer, length: number, learnt?: LearntPairs): Tokenizer {
  if (name === 'bytes') return byteTokenizer(length);
  if (learnt === undefined) {
    throw new RectiflowError(
      'config',
      'model.text.tokenizer: byte-pairs are learnt when a run begins, and nothing was learnt here: the run began with another ' +
        'tokenizer. Set it back to that one, or start a new run.',
    );
  }
  return bytePairTokenizer(learnt.pairs, learnt.vocabulary, length);
}
