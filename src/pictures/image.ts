import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import {
  RectiflowError,
  fileError,
  formatShape,
  shapeError,
  systemProblem,
  valueError,
} from '../tensor/errors.ts';
import { loadSharp } from './sharp.ts';
import { imageSize } from '../data/source.ts';
import type { ImageShape } from '../data/source.ts';

export interface ImageOptions {
  /** Each pixel becomes scale x scale pixels; 1 by default. */
  readonly scale?: number;
}

export interface GridOptions extends ImageOptions {
  /** Images per row; by default the grid is as square as it can be. */
  readonly columns?: number;
  /** Pixels between images, after scaling; GRID_GAP by default. */
  readonly gap?: number;
}

/** Pixels as PNG has them: rows of interleaved channels, one byte each. */
export interface Canvas {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly pixels: Uint8Array;
}

/** Pixels between the images of a grid, by default. */
export const GRID_GAP = 2;
const GAP_GREY = 128;

/**
 * Writes one image as a PNG file, grey for one channel and RGB for three.
 * @param image [C, H, W] in [-1, 1]; values beyond are clamped
 */
export async function writeImage(
  path: string,
  image: Float32Array,
  shape: ImageShape,
  options: ImageOptions = {},
): Promise<void> {
  await writeGrid(path, image, shape, { ...options, columns: 1, gap: 0 });
}

/**
 * Writes images side by side, row by row, as a PNG file. The folders above it are made.
 * @param images [N, C, H, W] in [-1, 1]; values beyond are clamped
 * @param shape of one image, [C, H, W]
 * @throws RectiflowError on a shape that does not fit, on NaN, and when the file cannot be written
 */
export async function writeGrid(
  path: string,
  images: Float32Array,
  shape: ImageShape,
  options: GridOptions = {},
): Promise<void> {
  await writePng(path, drawGrid(images, shape, options));
}

/**
 * The bytes of a PNG file.
 * @param inPalette whether 256 colours will do, which makes the file about a third as large; grey stays as it is
 */
export async function encodePng({ pixels, ...raw }: Canvas, inPalette = false): Promise<Uint8Array> {
  const sharp = await loadSharp();
  const png = sharp(pixels, { raw, limitInputPixels: false });
  if (raw.channels === 1) return png.toColourspace('b-w').png().toBuffer();
  return png.png({ palette: inPalette }).toBuffer();
}

/**
 * Writes a PNG file.
 * @param folders above it: made where they are missing, or left alone
 * @throws RectiflowError when it cannot be written
 */
export async function writePng(
  path: string,
  canvas: Canvas,
  folders: 'make' | 'leave' = 'make',
): Promise<void> {
  try {
    const bytes = await encodePng(canvas);
    if (folders === 'make') await mkdir(dirname(path), { recursive: true });
    await writeFile(path, bytes);
  } catch (error) {
    if (error instanceof RectiflowError) throw error;
    throw fileError(
      path,
      `the picture cannot be written: ${systemProblem(error)}`,
      'Check the path and the disk',
      error,
    );
  }
}

/** The same pixels in RGB. */
export function inColour({ width, height, channels, pixels }: Canvas): Canvas {
  if (channels === 3) return { width, height, channels, pixels };
  const colours = Uint8Array.from({ length: 3 * pixels.length }, (_, i) => pixels[Math.floor(i / 3)]!);
  return { width, height, channels: 3, pixels: colours };
}

/** As `writeGrid` does, without writing. */
export function drawGrid(images: Float32Array, shape: ImageShape, options: GridOptions): Canvas {
  const [channels, height, width] = shape;
  const size = imageSize(shape);
  const count = images.length / size;
  if (channels !== 1 && channels !== 3) {
    throw shapeError('writeGrid', 'shape', '[1, H, W] (grey) or [3, H, W] (RGB)', shape);
  }
  if (!Number.isInteger(count) || count === 0) {
    throw shapeError('writeGrid', 'images', `[N, C, H, W] with images of ${formatShape(shape)}`, [
      images.length,
    ]);
  }
  const { columns = Math.ceil(Math.sqrt(count)), scale = 1, gap = GRID_GAP } = options;
  for (const [name, value, least] of [
    ['columns', columns, 1],
    ['scale', scale, 1],
    ['gap', gap, 0],
  ] as const) {
    if (!Number.isInteger(value) || value < least) {
      throw valueError('writeGrid', name, `a whole number from ${least}`, value);
    }
  }
  const across = Math.min(columns, count);
  const [cellWidth, cellHeight] = [width * scale + gap, height * scale + gap];
  const canvasWidth = across * cellWidth - gap;
  const canvasHeight = Math.ceil(count / across) * cellHeight - gap;
  const pixels = new Uint8Array(canvasWidth * canvasHeight * channels).fill(GAP_GREY);
  for (let n = 0; n < count; n++) {
    const left = (n % across) * cellWidth;
    const top = Math.floor(n / across) * cellHeight;
    for (let channel = 0; channel < channels; channel++) {
      const plane = n * size + channel * height * width;
      for (let y = 0; y < height * scale; y++) {
        const row = plane + Math.floor(y / scale) * width;
        for (let x = 0; x < width * scale; x++) {
          const at = ((top + y) * canvasWidth + left + x) * channels + channel;
          pixels[at] = toByte(images[row + Math.floor(x / scale)]!, n);
        }
      }
    }
  }
  return { width: canvasWidth, height: canvasHeight, channels, pixels };
}

function toByte(value: number, image: number): number {
  if (Number.isNaN(value)) throw valueError('writeGrid', `image ${image}`, 'numbers', 'NaN');
  return Math.round(Math.min(1, Math.max(-1, value)) * 127.5 + 127.5);
}
