// BMP: 14 bytes (BM, size, where the pixels start), a header that begins with its own size, masks, a palette, pixels.
import { fileError } from '../../tensor/errors.ts';
import { damagedError } from './damage.ts';

export interface BmpHeader {
  readonly height: number;
  readonly width: number;
  /** The first row is the uppermost; else it is the lowest. */
  readonly isTopDown: boolean;
  readonly bits: number;
  readonly isRunLength: boolean;
  /** Red, green and blue of each colour, where pixels have up to 8 bits. */
  readonly palette: Uint8Array;
  /** Which bits of a pixel are red, green, blue and alpha, where it has 16 or 32. */
  readonly masks: readonly number[];
  /** Where the pixels start, in bytes. */
  readonly start: number;
}

const FILE_BYTES = 14;
/** OS/2's first header, which has 16 bits for each side and three bytes for each colour. */
const CORE_BYTES = 12;
const SIZES: ReadonlySet<number> = new Set([CORE_BYTES, 40, 52, 56, 64, 108, 124]);
const COMPRESSIONS = { none: 0, runs8: 1, runs4: 2, masks: 3, alphaMasks: 6 } as const;
const RUNS: Readonly<Record<number, number>> = { [COMPRESSIONS.runs8]: 8, [COMPRESSIONS.runs4]: 4 };
const DEPTHS: ReadonlySet<number> = new Set([1, 2, 4, 8, 16, 24, 32]);
const DEFAULT_MASKS: Readonly<Record<number, readonly number[]>> = {
  16: [0x7c00, 0x03e0, 0x001f, 0],
  // The fourth byte means nothing where no mask says that it is transparency.
  32: [0x00ff0000, 0x0000ff00, 0x000000ff, 0],
};
const SAVE_AGAIN = 'Save it again as PNG';

/**
 * Reads everything of a BMP file but its pixels.
 * @throws RectiflowError naming the file: truncated, or in a form that is not read
 */
export function readBmpHeader(bytes: Uint8Array, origin: string): BmpHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = bytes.length >= FILE_BYTES + 4 ? view.getUint32(FILE_BYTES, true) : 0;
  if (size === 0 || FILE_BYTES + size > bytes.length) throw damagedError(origin, 'it ends inside its header');
  if (!SIZES.has(size))
    throw fileError(origin, `is BMP with a header of ${size} bytes, which is not read`, SAVE_AGAIN);
  const isCore = size === CORE_BYTES;
  const width = isCore ? view.getUint16(18, true) : view.getInt32(18, true);
  const signedHeight = isCore ? view.getUint16(20, true) : view.getInt32(22, true);
  const bits = view.getUint16(isCore ? 24 : 28, true);
  const compression = isCore ? COMPRESSIONS.none : view.getUint32(30, true);
  const height = Math.abs(signedHeight);
  if (width <= 0 || height === 0) throw damagedError(origin, `its size is ${height}x${width}`);
  const isMasked = compression === COMPRESSIONS.masks || compression === COMPRESSIONS.alphaMasks;
  const isRunLength = RUNS[compression] !== undefined;
  const isKnown =
    DEPTHS.has(bits) &&
    (isRunLength
      ? RUNS[compression] === bits
      : compression === COMPRESSIONS.none || (isMasked && bits >= 16));
  // OS/2's second header has another meaning for 3.
  if (!isKnown || (isMasked && (size === 64 || bits === 24))) {
    throw fileError(
      origin,
      `is BMP of ${bits} bits with compression ${compression}, which is not read`,
      SAVE_AGAIN,
    );
  }
  const start = view.getUint32(10, true);
  const maskCount = compression === COMPRESSIONS.alphaMasks ? 4 : 3;
  const palette = FILE_BYTES + size + (isMasked && size === 40 ? 4 * maskCount : 0);
  if (start < palette || start > bytes.length)
    throw damagedError(origin, `its pixels start at byte ${start}`);
  return {
    height,
    width,
    isTopDown: signedHeight < 0,
    bits,
    isRunLength,
    palette: bits > 8 ? new Uint8Array(0) : readPalette(),
    masks: isMasked ? readMasks() : (DEFAULT_MASKS[bits] ?? []),
    start,
  };

  /** Stored as blue, green and red, with a byte behind them. */
  function readPalette(): Uint8Array {
    const stride = isCore ? 3 : 4;
    const stated = isCore ? 0 : view.getUint32(46, true);
    if (stated > 2 ** bits)
      throw damagedError(
        origin,
        `its palette has ${stated} colours, where pixels of ${bits} bits tell ${2 ** bits}`,
      );
    const colours = Math.min(stated || 2 ** bits, Math.floor((start - palette) / stride));
    const read = new Uint8Array(3 * colours);
    for (let i = 0; i < colours; i++) {
      for (let channel = 0; channel < 3; channel++)
        read[3 * i + channel] = bytes[palette + stride * i + 2 - channel]!;
    }
    return read;
  }

  /** Behind the first 40 bytes of the header, whether or not they are part of it. */
  function readMasks(): number[] {
    const hasAlpha = maskCount === 4 || size >= 56;
    return [0, 1, 2, 3].map((i) => (i < 3 || hasAlpha ? view.getUint32(54 + 4 * i, true) : 0));
  }
}
