import type { Metadata, Sharp } from 'sharp';
import { fileError } from '../../tensor/errors.ts';
import type { ImageSettings } from '../settings.ts';
import type { ReadKey } from '../source.ts';
import { type ReadFormat, formatOfBytes } from './formats.ts';
import { loadSharp } from './sharp.ts';
import { type Size, type Step, planTransforms } from './transforms.ts';

const ADVICE = 'Fetch it again, or remove it';

export interface EncodedImage {
  /** A whole JPEG, PNG, WebP, AVIF, TIFF or GIF file; of an animation the first frame is read. */
  readonly bytes: Uint8Array;
  /** How errors call it. */
  readonly origin: string;
  readonly settings: ImageSettings;
  /** What random transforms are a function of. */
  readonly key: ReadKey;
  readonly index: number;
}

/**
 * Decodes an image, upright by its EXIF orientation, in sRGB or in grey of the same luminance, over the background where it is
 * transparent; 16 bits become 8. Transforms it (resizing by Lanczos's kernel of three lobes) and writes [C, H, W] in [-1, 1] to
 * out from offset on. Pixels are worked on in libuv's pool.
 * @throws RectiflowError naming the image: empty, no image, damaged, larger than maxPixels or smaller than a crop
 */
export async function decodeImage(image: EncodedImage, out: Float32Array, offset: number): Promise<void> {
  const { bytes, origin, settings, key, index } = image;
  const { transforms, channels, maxPixels } = settings;
  const header = await readHeader(bytes, origin, maxPixels);
  const plan = planTransforms({ transforms, size: header.autoOrient, key, index, origin, maxPixels });
  const pixels = await orDamaged(origin, async () =>
    applySteps(await open(bytes, header, settings), plan.steps, channels),
  );
  writePlanes(pixels, plan.size, channels, plan.mirrored, out, offset);
}

/**
 * What the header says of an image, whose pixels are not decoded; `autoOrient` is its size, upright.
 * @throws RectiflowError naming the image: empty, no image, damaged, or of more than maxPixels
 */
export async function readHeader(bytes: Uint8Array, origin: string, maxPixels: number): Promise<Metadata> {
  if (bytes.length === 0) throw fileError(origin, 'is empty (0 bytes)', ADVICE);
  checkFormat(bytes, origin);
  const sharp = await loadSharp();
  const header = await sharp(bytes, { limitInputPixels: false })
    .metadata()
    .catch((error: Error) => {
      throw decodingError(origin, error);
    });
  const { height, width } = header.autoOrient;
  if (height * width > maxPixels) {
    const problem = `has ${height}x${width} (height x width) = ${height * width} pixels, more than data.maxPixels = ${maxPixels}`;
    throw fileError(origin, problem, 'Make it smaller, remove it, or raise data.maxPixels');
  }
  return header;
}

async function open(
  bytes: Uint8Array,
  header: Metadata,
  { background, maxPixels }: ImageSettings,
): Promise<Sharp> {
  const sharp = await loadSharp();
  // 'error' also stands for truncated files, but not for harmless warnings, such as stray bytes between markers.
  const image = sharp(bytes, { failOn: 'error', limitInputPixels: maxPixels, sequentialRead: true });
  image.autoOrient();
  if (!header.hasAlpha) return image;
  // A background has a colour, which a grey image can show only once it is RGB.
  if (header.space === 'b-w' || header.space === 'grey16') image.pipelineColourspace('srgb');
  return image.flatten({ background });
}

/** One pipeline holds a crop, a resize and a crop; more of them take several. */
async function applySteps(image: Sharp, steps: readonly Step[], channels: 1 | 3): Promise<Uint8Array> {
  const sharp = await loadSharp();
  const colourspace = channels === 1 ? 'b-w' : 'srgb';
  let current = image.toColourspace(colourspace);
  let isResized = false;
  for (const step of steps) {
    if (step.kind === 'crop') {
      current.extract(step);
      continue;
    }
    if (isResized) {
      const { data, info } = await current.raw().toBuffer({ resolveWithObject: true });
      current = sharp(data, { raw: { width: info.width, height: info.height, channels } });
      current.toColourspace(colourspace);
    }
    const { height, width } = step;
    // A JPEG is shrunk while it is decoded, but only as far as leaves the kernel half of the way: its own way aliases.
    current.resize({ height, width, fit: 'fill', kernel: 'lanczos3', fastShrinkOnLoad: false });
    isResized = true;
  }
  return current.raw({ depth: 'uchar' }).toBuffer();
}

/** Interleaved bytes to planes of floats. */
function writePlanes(
  pixels: Uint8Array,
  { height, width }: Size,
  channels: number,
  mirrored: boolean,
  out: Float32Array,
  offset: number,
): void {
  for (let channel = 0, to = offset; channel < channels; channel++) {
    for (let row = 0; row < height; row++) {
      for (let column = 0; column < width; column++, to++) {
        const from = row * width + (mirrored ? width - 1 - column : column);
        out[to] = pixels[from * channels + channel]! / 127.5 - 1;
      }
    }
  }
}

async function orDamaged<T>(origin: string, decode: () => Promise<T>): Promise<T> {
  try {
    return await decode();
  } catch (error) {
    throw decodingError(origin, error as Error);
  }
}

function decodingError(origin: string, error: Error): Error {
  // The decoder gives a line per attempt, of which the last one that has words says the most.
  const lines = error.message
    .split('\n')
    .filter((line) => /[a-z]/i.test(line) && !/^unknown error/i.test(line));
  const reason = lines.at(-1)?.trim().replace(/[.:]$/, '');
  return fileError(
    origin,
    `is truncated or damaged${reason === undefined ? '' : `: ${reason}`}`,
    ADVICE,
    error,
  );
}

/** The decoder is given nothing that it was not asked for: it knows more formats, some of which are programs. */
function checkFormat(bytes: Uint8Array, origin: string): ReadFormat {
  const format = formatOfBytes(bytes);
  if (typeof format === 'string') return format;
  if (format !== undefined)
    throw fileError(origin, `is ${format.name}, which is not read`, format.advice.replace('FILE', origin));
  const start = Buffer.from(bytes.subarray(0, 16)).toString('latin1');
  const found = JSON.stringify(start.replaceAll(/[^ -~]/g, '.'));
  const problem = `is no JPEG, PNG, WebP, AVIF, TIFF or GIF image: it starts with ${found}`;
  throw fileError(origin, problem, 'Convert it, or remove it');
}
