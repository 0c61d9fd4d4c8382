import type { Size } from './transforms.ts';

/**
 * Interleaved bytes of an image as they are when it stands upright.
 * @param orientation 1 to 8, by TIFF 6.0: from 5 on, rows are columns
 */
export function turnUpright(
  stored: Uint8Array,
  { height, width }: Size,
  channels: number,
  orientation: number,
): Size & { readonly pixels: Uint8Array } {
  const isSideways = orientation > 4;
  const size = isSideways ? { height: width, width: height } : { height, width };
  const fromBottom = [3, 4, 7, 8].includes(orientation);
  const fromRight = [2, 3, 6, 7].includes(orientation);
  const pixels = new Uint8Array(stored.length);
  let to = 0;
  for (let row = 0; row < size.height; row++) {
    for (let column = 0; column < size.width; column++, to += channels) {
      let [y, x] = isSideways ? [column, row] : [row, column];
      if (isSideways ? fromRight : fromBottom) y = height - 1 - y;
      if (isSideways ? fromBottom : fromRight) x = width - 1 - x;
      const from = (y * width + x) * channels;
      for (let channel = 0; channel < channels; channel++) pixels[to + channel] = stored[from + channel]!;
    }
  }
  return { ...size, pixels };
}

/** The orientation that XMP states, 1 to 8; undefined where there is none. */
export function xmpOrientation(xmp: string): number | undefined {
  const [, digit] = /\btiff:Orientation\s*(?:=\s*["']|>)\s*([1-8])\s*["'<]/.exec(xmp) ?? [];
  return digit === undefined ? undefined : Number(digit);
}

const ORIENTATION = 0x112;
const SHORT = 3;

/** The orientation in a block of EXIF, with or without the word Exif before it, 1 to 8; undefined where there is none. */
export function exifOrientation(block: Uint8Array): number | undefined {
  const start = block[0] === 0x45 && block[1] === 0x78 ? 6 : 0;
  const bytes = block.subarray(start);
  if (bytes.length < 10) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const order = view.getUint16(0);
  if (order !== 0x4949 && order !== 0x4d4d) return undefined;
  const isLittle = order === 0x4949;
  const directory = view.getUint32(4, isLittle);
  if (directory + 2 > bytes.length) return undefined;
  const entries = view.getUint16(directory, isLittle);
  for (let i = 0, at = directory + 2; i < entries && at + 12 <= bytes.length; i++, at += 12) {
    if (view.getUint16(at, isLittle) !== ORIENTATION || view.getUint16(at + 2, isLittle) !== SHORT) continue;
    const value = view.getUint16(at + 8, isLittle);
    return value >= 1 && value <= 8 ? value : undefined;
  }
  return undefined;
}
