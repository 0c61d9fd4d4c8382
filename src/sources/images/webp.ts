// WebP (https://developers.google.com/speed/webp/docs/riff_container): RIFF, size, WEBP, then chunks of 4 letters, a size and as
// many bytes, with one more where that is odd. Each frame of an animation is a chunk ANMF.
import { damagedError } from './damage.ts';
import { type PreparedImage, type Range, joinRanges, keep } from './prepared.ts';

const HEADER_BYTES = 12;
const CHUNK_BYTES = 8;

/**
 * Leaves out the frames behind the first: with a hundred thousand of them a decoder takes minutes.
 * @throws RectiflowError where it is truncated
 */
export function prepareWebp(bytes: Uint8Array, origin: string): PreparedImage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = CHUNK_BYTES + view.getUint32(4, true);
  if (end > bytes.length) throw damagedError(origin, `it has ${bytes.length} of ${end} bytes`);
  const kept: Range[] = [[0, HEADER_BYTES]];
  let frames = 0;
  for (let at = HEADER_BYTES; at + CHUNK_BYTES <= end;) {
    const size = view.getUint32(at + 4, true);
    const next = Math.min(end, at + CHUNK_BYTES + size + (size & 1));
    const isFrame = Buffer.from(bytes.subarray(at, at + 4)).toString('latin1') === 'ANMF';
    if (isFrame) frames++;
    if (!isFrame || frames === 1) keep(kept, at, next);
    at = next;
  }
  if (frames < 2) return { bytes };
  const first = Buffer.from(joinRanges(bytes, kept));
  first.writeUInt32LE(first.length - CHUNK_BYTES, 4);
  return { bytes: first, hasMore: true };
}
