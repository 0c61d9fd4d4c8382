import { valueError } from '../tensor/errors.ts';
import { plainCaption } from './plain-caption.ts';
import { type Tokenizer, endAt } from './tokenizer.ts';

/** After the 256 bytes. */
const END = 256;

/**
 * The bytes of a caption's UTF-8 form and an end token: needs no file, and knows every script. A caption that is
 * too long is cut between two characters.
 * @param length tokens of a caption, from 2
 */
export function byteTokenizer(length: number): Tokenizer {
  if (!Number.isInteger(length) || length < 2) {
    throw valueError('byteTokenizer', 'length', 'an integer from 2', length);
  }
  const encoder = new TextEncoder();
  return {
    name: 'bytes',
    vocabulary: END + 1,
    length,
    encode(caption) {
      const bytes = new Uint8Array(length - 1);
      const plain = plainCaption(caption);
      const { read, written } = encoder.encodeInto(plain, bytes);
      const all = read === plain.length ? written : encoder.encode(plain).length;
      return endAt(length, bytes.subarray(0, written), END, all + 1);
    },
  };
}
