import { fileError } from './errors.ts';

const utf8 = new TextDecoder('utf-8', { fatal: true });
const LINE_FEED = 0x0a;
/** Bytes by which UTF-16 without a mark is told: Latin letters have a zero in every other byte. */
const LOOKED_AT = 64;
const ADVICE = 'Save it as UTF-8';

/**
 * Text from bytes in UTF-8, without the byte order mark that it may begin with. The one way in which text from outside is read:
 * letters that are replaced without a word would be learnt.
 * @param origin how errors call it
 * @throws RectiflowError naming the encoding where it is UTF-16 or UTF-32, else the first line that is no UTF-8
 */
export function decodeText(bytes: Uint8Array, origin: string): string {
  const other = otherEncoding(bytes);
  if (other !== undefined) throw fileError(origin, `is text in ${other}, not in UTF-8`, ADVICE);
  try {
    return utf8.decode(bytes);
  } catch (cause) {
    const line = bytes.includes(LINE_FEED) ? ` (line ${badLine(bytes)})` : '';
    throw fileError(origin, `is no text in UTF-8${line}`, ADVICE, cause);
  }
}

function otherEncoding(bytes: Uint8Array): string | undefined {
  const [a, b, c, d] = bytes;
  if (a === 0xff && b === 0xfe) return c === 0 && d === 0 ? 'UTF-32' : 'UTF-16';
  if (a === 0xfe && b === 0xff) return 'UTF-16';
  if (bytes.length < 4 || bytes.length % 2 !== 0) return undefined;
  const start = bytes.subarray(0, LOOKED_AT);
  const isZero = (odd: number): boolean => start.every((byte, i) => i % 2 !== odd || byte === 0);
  const hasText = start.some((byte) => byte !== 0);
  return hasText && (isZero(0) || isZero(1)) ? 'UTF-16' : undefined;
}

/** From 1. No part of a longer letter is a line feed, so that lines can be looked at alone. */
function badLine(bytes: Uint8Array): number {
  let line = 1;
  for (let start = 0; start < bytes.length; line++) {
    const feed = bytes.indexOf(LINE_FEED, start);
    const end = feed === -1 ? bytes.length : feed;
    try {
      utf8.decode(bytes.subarray(start, end));
    } catch {
      return line;
    }
    start = end + 1;
  }
  return line;
}
