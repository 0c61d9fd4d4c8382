import type { BmpHeader } from './bmp-header.ts';
import { damagedError } from './damage.ts';

/** Interleaved bytes, the uppermost row first. */
export interface Bitmap {
  readonly pixels: Uint8Array;
  readonly channels: 3 | 4;
}

/**
 * The pixels of a BMP file: RGB, or RGBA where it has a mask for transparency and not all pixels are invisible by it (some
 * programs write 0 for all).
 * @throws RectiflowError where there are too few, or they have colours that are not in the palette
 */
export function readBmpPixels(bytes: Uint8Array, header: BmpHeader, origin: string): Bitmap {
  const { height, width, bits, isRunLength, isTopDown } = header;
  const rows = isRunLength ? readRuns(bytes, header, origin) : undefined;
  const stride = rows ? width : 4 * Math.ceil((bits * width) / 32);
  const stored = rows ?? bytes.subarray(header.start);
  if (stored.length < stride * height) {
    throw damagedError(origin, `it has ${stored.length} of ${stride * height} bytes of pixels`);
  }
  const pixelAt = reader(stored, rows ? 8 : bits, header, origin);
  const channels = header.masks[3] ? 4 : 3;
  const pixels = new Uint8Array(height * width * channels);
  let isVisible = false;
  for (let row = 0, to = 0; row < height; row++) {
    const from = (isTopDown ? row : height - 1 - row) * stride;
    for (let column = 0; column < width; column++, to += channels) {
      pixelAt(from, column, pixels, to);
      isVisible ||= channels === 3 || pixels[to + 3] !== 0;
    }
  }
  if (!isVisible) for (let alpha = 3; alpha < pixels.length; alpha += 4) pixels[alpha] = 255;
  return { pixels, channels };
}

/** Writes the channels of a pixel of a row that starts at `from`. */
type PixelReader = (from: number, column: number, out: Uint8Array, to: number) => void;

function reader(stored: Uint8Array, bits: number, header: BmpHeader, origin: string): PixelReader {
  const { palette } = header;
  if (bits <= 8) {
    const mask = 2 ** bits - 1;
    return (from, column, out, to) => {
      const bit = column * bits;
      const colour = (stored[from + (bit >> 3)]! >> (8 - bits - (bit & 7))) & mask;
      if (3 * colour >= palette.length) {
        throw damagedError(origin, `a pixel has colour ${colour} of a palette of ${palette.length / 3}`);
      }
      for (let channel = 0; channel < 3; channel++) out[to + channel] = palette[3 * colour + channel]!;
    };
  }
  if (bits === 24) {
    return (from, column, out, to) => {
      for (let channel = 0; channel < 3; channel++)
        out[to + channel] = stored[from + 3 * column + 2 - channel]!;
    };
  }
  const channels = header.masks.filter((mask, i) => i < 3 || mask !== 0).map(maskOf);
  const size = bits / 8;
  return (from, column, out, to) => {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + stored[from + size * column + i]!;
    for (let channel = 0; channel < channels.length; channel++) {
      const { lowest, most } = channels[channel]!;
      out[to + channel] = Math.round((255 * (Math.floor(value / lowest) % (most + 1))) / most);
    }
  };
}

/** The weight of the lowest bit of a mask, and the largest value of its bits. */
function maskOf(mask: number): { readonly lowest: number; readonly most: number } {
  const bits = mask.toString(2);
  const zeros = mask === 0 ? 0 : bits.length - 1 - bits.lastIndexOf('1');
  const ones = bits.length - zeros;
  return { lowest: 2 ** zeros, most: mask === 0 ? 1 : 2 ** ones - 1 };
}

/** Pixels of a run-length encoding, a byte each, in the order in which they are stored. */
function readRuns(bytes: Uint8Array, { height, width, bits, start }: BmpHeader, origin: string): Uint8Array {
  const out = new Uint8Array(height * width);
  const broken = (): Error => damagedError(origin, `its runs end in row ${row} of ${height}`);
  let [row, column, at] = [0, 0, start];
  const put = (colour: number): void => {
    if (column >= width || row >= height) throw broken();
    out[row * width + column++] = colour;
  };
  const nibble = (byte: number, i: number): number => (bits === 8 ? byte : i & 1 ? byte & 15 : byte >> 4);
  for (;;) {
    if (at + 2 > bytes.length) throw broken();
    const [count, value] = [bytes[at]!, bytes[at + 1]!];
    at += 2;
    if (count > 0) {
      for (let i = 0; i < count; i++) put(nibble(value, i));
    } else if (value === 0) [row, column] = [row + 1, 0];
    else if (value === 1) {
      // The last row may end with or without a word.
      if (row + (column > 0 ? 1 : 0) < height) throw broken();
      return out;
    } else if (value === 2) {
      if (at + 2 > bytes.length) throw broken();
      column += bytes[at]!;
      row += bytes[at + 1]!;
      at += 2;
    } else {
      const size = bits === 8 ? value : (value + 1) >> 1;
      if (at + size > bytes.length) throw broken();
      for (let i = 0; i < value; i++) put(nibble(bytes[at + (bits === 8 ? i : i >> 1)]!, i));
      at += size + (size & 1);
    }
  }
}
