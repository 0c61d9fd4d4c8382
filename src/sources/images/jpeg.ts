// JPEG (ITU-T T.81, annex B): FF D8, then segments FF marker, of which most state their length, and behind each start of a scan
// its entropy-coded data, in which FF 00 is a byte FF and FF D0 to D7 are restarts, in turn; at last FF D9.
import { damagedError } from './damage.ts';
import type { PreparedImage } from './prepared.ts';

const BASELINE = 0xc0;
const SEQUENTIAL = 0xc1;
/** Headers of frames: those two, and the progressive one. */
const FRAMES: ReadonlySet<number> = new Set([BASELINE, SEQUENTIAL, 0xc2]);
const END = 0xd9;
const SCAN = 0xda;
const RESTART_INTERVAL = 0xdd;
const JFIF = 0xe0;
const ADOBE = 0xee;

/**
 * Checks that the segments of a file follow each other up to its end, and that in the data of its scans there is no byte that
 * no encoder writes: decoders take such damage for the end of a scan and go on with grey. What a decoder warns of is damage too,
 * but for oddities that are known not to touch any pixel.
 * @throws RectiflowError saying where it is damaged
 */
export function prepareJpeg(bytes: Uint8Array, origin: string): PreparedImage {
  const fail = (at: number): Error => damagedError(origin, `there is no JPEG data at byte ${at}`);
  let hasRestarts = false;
  let scans = 0;
  let isSequential = false;
  let isOdd = false;
  let [transform, channels] = [0, 0];
  for (let at = 2; ;) {
    // What else lies between two segments means nothing, and cameras are known to leave some there.
    const next = bytes.indexOf(0xff, at);
    isOdd ||= scans === 0 && next !== at;
    at = next;
    while (at !== -1 && bytes[at] === 0xff) at++;
    if (at === -1 || at >= bytes.length) throw damagedError(origin, 'it ends before its last marker');
    const marker = bytes[at]!;
    if (marker === END) {
      // Adobe's number for how colours are turned: 1 goes with three channels, 2 with four.
      const isUsual = transform === 0 || transform === (channels === 4 ? 2 : 1);
      return { bytes, isStrict: !isOdd && isUsual };
    }
    if (marker < 0xc0) {
      // A byte FF of entropy-coded data: the scan before was not at its end.
      if (marker > 1 || (marker === 0 && scans > 0)) throw fail(at);
      isOdd = true;
      at++;
      continue;
    }
    if (marker >= 0xd0 && marker <= 0xd8) {
      isOdd = true;
      at++;
      continue;
    }
    const length = (bytes[at + 1]! << 8) | bytes[at + 2]!;
    if (at + 2 >= bytes.length || at + 1 + length > bytes.length)
      throw damagedError(origin, 'it ends inside a segment');
    if (length < 2) throw fail(at);
    if (marker === RESTART_INTERVAL) hasRestarts = bytes[at + 3] !== 0 || bytes[at + 4] !== 0;
    const data = bytes.subarray(at + 3, at + 1 + length);
    if (marker === BASELINE || marker === SEQUENTIAL) isSequential = true;
    if (FRAMES.has(marker)) channels = data[5]!;
    if (marker === ADOBE && begins(data, 'Adobe')) transform = data[11]!;
    isOdd ||= isOddSegment(marker, data, isSequential);
    at += 1 + length;
    if (marker !== SCAN) continue;
    scans++;
    at = endOfScan(bytes, at, hasRestarts, fail);
  }
}

function begins(data: Uint8Array, word: string): boolean {
  return Buffer.from(data.subarray(0, word.length)).toString('latin1') === word;
}

/** Whether a decoder warns of a segment that some writers get wrong, and reads the pixels rightly all the same. */
function isOddSegment(marker: number, data: Uint8Array, isSequential: boolean): boolean {
  // A version that is not known.
  if (marker === JFIF) return begins(data, 'JFIF\0') && data[5] !== 1 && data[5] !== 2;
  // Selections of coefficients, which there are only in progressive files: of all 64, whatever is said.
  if (marker !== SCAN || !isSequential) return false;
  const [first, last, bits] = data.subarray(1 + 2 * data[0]!);
  return first !== 0 || last !== 63 || bits !== 0;
}

/** The place of the marker behind entropy-coded data. */
function endOfScan(
  bytes: Uint8Array,
  start: number,
  hasRestarts: boolean,
  fail: (at: number) => Error,
): number {
  let restarts = 0;
  for (let at = start; ;) {
    const found = bytes.indexOf(0xff, at);
    if (found === -1) return bytes.length;
    at = found + 1;
    while (bytes[at] === 0xff) at++;
    const marker = bytes[at]!;
    if (marker === 0) continue;
    if (marker < 0xd0 || marker > 0xd7) return found;
    if (!hasRestarts || (marker & 7) !== (restarts++ & 7)) throw fail(found);
  }
}
