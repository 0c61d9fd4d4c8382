import { Decompress } from 'fzstd';

/** A block repeats one byte 128 Ki times, and takes four. */
const MOST_PER_BYTE = 2 ** 15;

/** Zstandard. @param size of what comes out @throws an Error where it is another */
export function decompress(packed: Uint8Array, size: number): Uint8Array {
  if (size > MOST_PER_BYTE * packed.length) throw new Error('a chunk is damaged');
  const unpacked = new Uint8Array(size);
  let at = 0;
  // As a stream: read whole, a frame that ends early would leave zeros without a word.
  new Decompress((part) => {
    if (at + part.length > size) throw new Error('a chunk is damaged');
    unpacked.set(part, at);
    at += part.length;
  }).push(packed, true);
  if (at !== size) throw new Error('a chunk is damaged');
  return unpacked;
}
