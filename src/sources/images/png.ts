// PNG (https://www.w3.org/TR/png-3/): a signature of 8 bytes, then chunks of
//   4 bytes  n, big endian | 4 letters  type | n bytes | 4 bytes  CRC-32 of type and data
import { inflateSync } from 'node:zlib';
import { crc32 } from '../../formats/pytorch/crc32.ts';
import { damagedError } from './damage.ts';
import { exifOrientation } from './orientation.ts';
import { type PreparedImage, type Range, joinRanges, keep } from './prepared.ts';

const SIGNATURE_BYTES = 8;
/** Beside its data: length, type and CRC. */
const CHUNK_BYTES = 12;
/** The pixels, what gives them their colours, and EXIF. Of texts a decoder would fill memory: a few bytes inflate to gigabytes. */
const KEPT: ReadonlySet<string> = new Set(
  'IHDR PLTE tRNS IDAT IEND cHRM gAMA sRGB iCCP cICP sBIT bKGD pHYs eXIf'.split(' '),
);
const TEXTS: ReadonlySet<string> = new Set(['tEXt', 'zTXt', 'iTXt']);
/** Longer texts hold no orientation that one can find at their beginning. */
const MOST_TEXT = 1 << 20;
const MOST_KEYWORD = 79;
const XMP = 'XML:com.adobe.xmp';
const EXIF = ['Raw profile type exif', 'Raw profile type APP1'] as const;
const ORIENTING: ReadonlySet<string> = new Set([XMP, ...EXIF]);

/**
 * Checks all chunks and their sums, and leaves out those that no pixel depends on.
 * @throws RectiflowError naming the chunk that is damaged
 */
export function preparePng(bytes: Uint8Array, origin: string): PreparedImage {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kept: Range[] = [[0, SIGNATURE_BYTES]];
  const texts = new Map<string, string>();
  let hasMore = false;
  let hasPixels = false;
  for (let at = SIGNATURE_BYTES, type = ''; type !== 'IEND';) {
    const length = at + CHUNK_BYTES <= bytes.length ? view.getUint32(at) : Infinity;
    const end = at + CHUNK_BYTES + length;
    type = latin1(bytes.subarray(at + 4, at + 8));
    if (end > bytes.length) {
      // Where pixels are missing, the decoder says so; where they are all there, nothing is.
      if (hasPixels && type !== 'IDAT') break;
      throw damagedError(origin, 'it ends before its pixels do');
    }
    if (!/^[A-Za-z]{4}$/.test(type)) throw damagedError(origin, `there is no chunk at byte ${at}`);
    if (type === 'IDAT') hasPixels = true;
    // The decoder adds up those of the pixels itself.
    if (type !== 'IDAT' && crc32(bytes.subarray(at + 4, end - 4)) !== view.getUint32(end - 4))
      throw damagedError(origin, `the checksum of its chunk ${type} is wrong`);
    const data = bytes.subarray(at + 8, end - 4);
    if (type === 'acTL' && length === 8) hasMore = view.getUint32(at + 8) > 1;
    if (TEXTS.has(type)) addOrientingText(texts, type, data);
    if (KEPT.has(type)) keep(kept, at, end);
    at = end;
  }
  return { bytes: joinRanges(bytes, kept), hasMore, ...orientingTexts(texts) };
}

/**
 * The first bytes of a file, with what texts before its pixels say.
 * @returns undefined where its pixels do not begin in them
 */
export function preparePngHead(head: Uint8Array): PreparedImage | undefined {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const texts = new Map<string, string>();
  for (let at = SIGNATURE_BYTES; at + 8 <= head.length;) {
    const type = latin1(head.subarray(at + 4, at + 8));
    if (type === 'IDAT') return { bytes: head, ...orientingTexts(texts) };
    const end = at + CHUNK_BYTES + view.getUint32(at);
    if (end <= head.length && TEXTS.has(type)) addOrientingText(texts, type, head.subarray(at + 8, end - 4));
    at = end;
  }
  return undefined;
}

/** What they say of how the image is turned. */
function orientingTexts(texts: ReadonlyMap<string, string>): Pick<PreparedImage, 'xmp' | 'orientation'> {
  const xmp = texts.get(XMP);
  const profile = texts.get(EXIF[0]) ?? texts.get(EXIF[1]);
  const orientation = profile === undefined ? undefined : exifOrientation(unhex(profile));
  return { ...(xmp !== undefined && { xmp }), ...(orientation !== undefined && { orientation }) };
}

/** Adds the first text of each kind that may hold an orientation, empty where it does not inflate, or to too much. */
function addOrientingText(texts: Map<string, string>, type: string, data: Uint8Array): void {
  const end = data.indexOf(0);
  const keyword = latin1(data.subarray(0, Math.max(0, Math.min(end, MOST_KEYWORD))));
  if (!ORIENTING.has(keyword) || texts.has(keyword)) return;
  let text = data.subarray(end + 1);
  let isDeflated = false;
  if (type === 'zTXt') {
    isDeflated = true;
    text = text.subarray(1);
  } else if (type === 'iTXt') {
    isDeflated = text[0] === 1;
    // Flag, method, language and the keyword in that language.
    const language = text.indexOf(0, 2);
    text = text.subarray(text.indexOf(0, language + 1) + 1);
  }
  if (isDeflated) {
    try {
      text = inflateSync(text, { maxOutputLength: MOST_TEXT });
    } catch {
      text = new Uint8Array(0);
    }
  }
  texts.set(keyword, text.length > MOST_TEXT ? '' : latin1(text));
}

/** ImageMagick's form of a profile: a line with its name, one with its length, then hexadecimal digits. */
function unhex(profile: string): Uint8Array {
  const digits = /^\s*\S+\s+\d+\s+([\da-fA-F\s]*)/.exec(profile)?.[1] ?? '';
  return Buffer.from(digits.replaceAll(/\s/g, ''), 'hex');
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1');
}
