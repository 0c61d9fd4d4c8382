// A text in a PNG: a chunk tEXt (https://www.w3.org/TR/png-3/#11tEXt), which viewers and `identify -verbose` show.
import { crc32 } from './pytorch/crc32.ts';

/** Length, type and checksum. */
const CHUNK_BYTES = 12;

/**
 * The same picture with a text before its end.
 * @param png a whole PNG
 * @param keyword what the text is called: 1 to 79 letters
 * @param json JSON; what of it is not ASCII is escaped, which JSON may be
 */
export function withPngText(png: Uint8Array, keyword: string, json: string): Uint8Array {
  const ascii = json.replaceAll(
    /[^\u0020-\u007e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  const data = Buffer.from(`tEXt${keyword}\0${ascii}`, 'latin1');
  const chunk = Buffer.alloc(data.length + 8);
  chunk.writeUInt32BE(data.length - 4, 0);
  data.copy(chunk, 4);
  chunk.writeUInt32BE(crc32(data), data.length + 4);
  const end = png.length - CHUNK_BYTES;
  return Buffer.concat([png.subarray(0, end), chunk, png.subarray(end)]);
}

/** The text of that name in a whole PNG; undefined where it has none. */
export function pngText(png: Uint8Array, keyword: string): string | undefined {
  const bytes = Buffer.from(png.buffer, png.byteOffset, png.byteLength);
  for (let at = 8; at + CHUNK_BYTES <= bytes.length;) {
    const length = bytes.readUInt32BE(at);
    const text = bytes.toString('latin1', at + 4, at + 8 + length);
    if (text.startsWith(`tEXt${keyword}\0`)) return text.slice(keyword.length + 5);
    at += CHUNK_BYTES + length;
  }
  return undefined;
}
