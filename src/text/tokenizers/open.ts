import { builtInTokenizer, isBuiltIn } from '../../tokenizers/built-in.ts';
import type { LearntPairs } from '../../tokenizers/byte-pairs.ts';
import type { Tokenizer } from '../../tokenizers/tokenizer.ts';
import { readTokenizer } from './tokenizer-file.ts';

/**
 * @param name `bytes`, `byte-pairs`, or the path of a tokenizer.json
 * @param length tokens of a caption
 * @param learnt for byte-pairs
 * @throws RectiflowError where the file cannot be read or used
 */
export async function openTokenizer(name: string, length: number, learnt?: LearntPairs): Promise<Tokenizer> {
  return isBuiltIn(name) ? builtInTokenizer(name, length, learnt) : readTokenizer(name, length);
}
