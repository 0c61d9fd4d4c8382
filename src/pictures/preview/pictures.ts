import type { Canvas } from '../image.ts';
import { loadSharp } from '../sharp.ts';
import type { ImageShape } from '../../data/source.ts';

/** Larger ones are reduced: several dozens are shown side by side. */
const LARGEST = 256;
/** Smaller ones are enlarged, by a whole number, to about as much. */
const SMALLEST = 144;

/** The values of a channel that become black and white. */
export type Range = readonly [black: number, white: number];

/** Of images. */
export const PIXEL_RANGES: readonly Range[] = [
  [-1, 1],
  [-1, 1],
  [-1, 1],
];

/** Grey or the first three channels, as pixels. */
export async function toPicture(
  values: Float32Array,
  [channels, height, width]: ImageShape,
  ranges: readonly Range[],
): Promise<Canvas> {
  const size = height * width;
  const pixels = new Uint8Array(3 * size);
  for (let shown = 0; shown < 3; shown++) {
    const channel = channels < 3 ? 0 : shown;
    const [black, white] = ranges[channel]!;
    const scale = 255 / (white - black || 1);
    for (let i = 0; i < size; i++) {
      const bright = (values[channel * size + i]! - black) * scale;
      pixels[3 * i + shown] = Math.round(Math.min(255, Math.max(0, bright)));
    }
  }
  const picture = { width, height, channels: 3, pixels } as const;
  const side = Math.max(height, width);
  return side > LARGEST ? reduce(picture, LARGEST / side) : enlarge(picture, Math.floor(SMALLEST / side));
}

async function reduce({ pixels, ...raw }: Canvas, by: number): Promise<Canvas> {
  const width = Math.max(1, Math.round(raw.width * by));
  const height = Math.max(1, Math.round(raw.height * by));
  const sharp = await loadSharp();
  const reduced = sharp(pixels, { raw, limitInputPixels: false }).resize(width, height, { fit: 'fill' });
  return { width, height, channels: 3, pixels: await reduced.raw().toBuffer() };
}

function enlarge(picture: Canvas, by: number): Canvas {
  if (by <= 1) return picture;
  const [width, height] = [by * picture.width, by * picture.height];
  const pixels = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = 3 * (Math.floor(y / by) * picture.width + Math.floor(x / by));
      pixels.set(picture.pixels.subarray(from, from + 3), 3 * (y * width + x));
    }
  }
  return { width, height, channels: 3, pixels };
}
