import { byteTokenizer } from './bytes.ts';
import { readTokenizer } from './tokenizer-file.ts';
import type { Tokenizer } from './tokenizer.ts';

/**
 * @param name `bytes`, or the path of a tokenizer.json
 * @param length tokens of a caption
 * @throws RectiflowError where the file cannot be read or used
 */
export async function openTokenizer(name: string, length: number): Promise<Tokenizer> {
  return name === 'bytes' ? byteTokenizer(length) : readTokenizer(name, length);
}
