// GIF (https://www.w3.org/Graphics/GIF/spec-gif89a.txt):
//   6 bytes  GIF89a | 7 bytes  screen | colours | blocks: 21 extension, 2C image, 3B end
// An image is 9 bytes, colours, the least size of codes, and codes in sub-blocks of at most 255 bytes, of which the last is empty.
import { damagedError } from './damage.ts';
import type { PreparedImage } from './prepared.ts';

const SCREEN_FLAGS = 10;
const SCREEN_END = 13;
const EXTENSION = 0x21;
const IMAGE = 0x2c;
const IMAGE_BYTES = 10;
const MOST_CODES = 4096;

/**
 * Checks the codes of the first image: decoders take damage for its end, and go on with what they have.
 * @throws RectiflowError saying what is damaged
 */
export function prepareGif(bytes: Uint8Array, origin: string): PreparedImage {
  const truncated = damagedError(origin, 'it ends before its first image does');
  let at = SCREEN_END + coloursAfter(bytes, SCREEN_FLAGS);
  while (bytes[at] === EXTENSION) at = endOfBlocks(bytes, at + 2);
  if (at + IMAGE_BYTES >= bytes.length) throw truncated;
  if (bytes[at] !== IMAGE) throw damagedError(origin, `there is no image at byte ${at}`);
  const width = bytes[at + 5]! | (bytes[at + 6]! << 8);
  const height = bytes[at + 7]! | (bytes[at + 8]! << 8);
  const start = at + IMAGE_BYTES + coloursAfter(bytes, at + IMAGE_BYTES - 1);
  const pixels = countPixels(bytes, start, width * height);
  if (pixels === undefined) throw damagedError(origin, 'the codes of its first image are broken');
  if (pixels < width * height) {
    const problem = `its first image has ${pixels} of ${width * height} pixels`;
    throw damagedError(origin, problem);
  }
  let next = endOfBlocks(bytes, start + 1);
  while (bytes[next] === EXTENSION) next = endOfBlocks(bytes, next + 2);
  return { bytes, hasMore: bytes[next] === IMAGE };
}

/** Bytes of the colours that flags speak of. */
function coloursAfter(bytes: Uint8Array, flags: number): number {
  const found = bytes[flags] ?? 0;
  return found & 0x80 ? 3 * (2 << (found & 7)) : 0;
}

function endOfBlocks(bytes: Uint8Array, start: number): number {
  let at = start;
  while (at < bytes.length && bytes[at] !== 0) at += 1 + bytes[at]!;
  return at + 1;
}

/**
 * Pixels that codes stand for, at most so many, by the lengths of the strings in the table of codes (LZW).
 * @param start of the least size, in bits, of which the first codes are
 * @returns undefined where a code is met that is not in the table
 */
function countPixels(bytes: Uint8Array, start: number, most: number): number | undefined {
  const least = bytes[start] ?? 0;
  if (least < 1 || least > 11) return undefined;
  const clear = 1 << least;
  const lengths = new Uint32Array(MOST_CODES).fill(1, 0, clear);
  let [size, next, before] = [least + 1, clear + 2, 0];
  let [pixels, bits, held] = [0, 0, 0];
  let at = start + 1;
  for (let left = 0; pixels < most;) {
    while (held < size) {
      if (left === 0) {
        left = bytes[at++] ?? 0;
        // The last block, or the end of the file.
        if (left === 0) return pixels;
      }
      if (at >= bytes.length) return pixels;
      bits |= bytes[at++]! << held;
      held += 8;
      left--;
    }
    const code = bits & ((1 << size) - 1);
    bits >>>= size;
    held -= size;
    if (code === clear) {
      [size, next, before] = [least + 1, clear + 2, 0];
      continue;
    }
    if (code === clear + 1) return pixels;
    if (code > next || (code === next && before === 0) || (before === 0 && code > clear)) return undefined;
    if (before > 0 && next < MOST_CODES) lengths[next++] = before + 1;
    before = lengths[code]!;
    pixels += before;
    if (next === 1 << size && size < 12) size++;
  }
  return Math.min(pixels, most);
}
