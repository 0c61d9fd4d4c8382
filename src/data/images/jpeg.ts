// JPEG (ITU-T T.81, annex B): FF D8, then segments FF marker, of which most state their length, and behind each start of a scan
// its entropy-coded data, in which FF 00 is a byte FF and FF D0 to D7 are restarts, in turn; at last FF D9.
import { damagedError } from './damage.ts';
import type { PreparedImage } from './prepared.ts';

const END = 0xd9;
const SCAN = 0xda;
const RESTART_INTERVAL = 0xdd;

/**
 * Checks that the segments of a file follow each other up to its end, and that in the data of its scans there is no byte that
 * no encoder writes: decoders take such damage for the end of a scan and go on with grey.
 * @throws RectiflowError saying where it is damaged
 */
export function prepareJpeg(bytes: Uint8Array, origin: string): PreparedImage {
  const fail = (at: number): Error => damagedError(origin, `there is no JPEG data at byte ${at}`);
  let hasRestarts = false;
  let scans = 0;
  for (let at = 2; ;) {
    // What else lies between two segments means nothing, and cameras are known to leave some there.
    at = bytes.indexOf(0xff, at);
    while (at !== -1 && bytes[at] === 0xff) at++;
    if (at === -1 || at >= bytes.length) throw damagedError(origin, 'it ends before its last marker');
    const marker = bytes[at]!;
    if (marker === END) return { bytes };
    if (marker < 0xc0) {
      // A byte FF of entropy-coded data: the scan before was not at its end.
      if (marker > 1 || (marker === 0 && scans > 0)) throw fail(at);
      at++;
      continue;
    }
    if (marker >= 0xd0 && marker <= 0xd8) {
      at++;
      continue;
    }
    const length = (bytes[at + 1]! << 8) | bytes[at + 2]!;
    if (at + 2 >= bytes.length || at + 1 + length > bytes.length)
      throw damagedError(origin, 'it ends inside a segment');
    if (length < 2) throw fail(at);
    if (marker === RESTART_INTERVAL) hasRestarts = bytes[at + 3] !== 0 || bytes[at + 4] !== 0;
    at += 1 + length;
    if (marker !== SCAN) continue;
    scans++;
    at = endOfScan(bytes, at, hasRestarts, fail);
  }
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
