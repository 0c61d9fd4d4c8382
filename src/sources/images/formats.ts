import { type UnreadFormat, UNREAD_FORMATS, ftyp, unreadFormatOf } from './unread-formats.ts';

/** Endings of files that are read as images, in lower case. What such a file holds is told by its first bytes. */
export const IMAGE_ENDINGS: readonly string[] = [
  'jpg',
  'jpeg',
  'jpe',
  'jfif',
  'png',
  'apng',
  'webp',
  'avif',
  'gif',
  'tif',
  'tiff',
  'bmp',
  'dib',
];

/** Bytes of an encoded image: larger ones are none, or not for training, and would fill memory before that is known. */
export const MOST_IMAGE_BYTES: number = 1 << 30;

/** Formats that are read. */
export type ReadFormat = 'jpeg' | 'png' | 'gif' | 'webp' | 'avif' | 'tiff' | 'bmp';

/** How their files begin, as in `UnreadFormat`. */
const STARTS: Readonly<Record<ReadFormat, readonly string[]>> = {
  jpeg: ['\xff\xd8\xff'],
  png: ['\x89PNG\r\n\x1a\n'],
  gif: ['GIF87a', 'GIF89a'],
  webp: ['RIFF????WEBP'],
  avif: ftyp('avif', 'avis'),
  // The last two of these have offsets of 64 bits.
  tiff: ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'],
  bmp: ['BM'],
};

/**
 * What a file is by its first bytes, whatever its name says.
 * @returns a format that is read, one that is known and not read, or undefined
 */
export function formatOfBytes(bytes: Uint8Array): ReadFormat | UnreadFormat | undefined {
  const begins = (start: string): boolean => {
    if (start.length > bytes.length) return false;
    for (let i = 0; i < start.length; i++)
      if (start[i] !== '?' && start.charCodeAt(i) !== bytes[i]) return false;
    return true;
  };
  const general = ftyp('mif1', 'msf1').some(begins) ? brandOf(bytes) : undefined;
  if (general !== undefined) return general;
  // The raw format of a camera may look like a TIFF, so it is asked for first.
  return (
    UNREAD_FORMATS.find(({ starts }) => starts?.some(begins)) ??
    (Object.keys(STARTS) as ReadFormat[]).find((format) => STARTS[format].some(begins))
  );
}

/** Files of the general brand of HEIF list the brands that they are readable as, behind their size, type, brand and version. */
function brandOf(bytes: Uint8Array): ReadFormat | UnreadFormat | undefined {
  const size = Math.min(bytes.length, (bytes[2]! << 8) | bytes[3]!);
  const brands = Buffer.from(bytes.subarray(16, size)).toString('latin1').match(/.{4}/gs) ?? [];
  return brands.some((brand) => brand === 'avif' || brand === 'avis') ? 'avif' : unreadFormatOf('heic');
}
