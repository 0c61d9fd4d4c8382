import type { Metadata, Sharp } from 'sharp';
import { RectiflowError, fileError } from '../../tensor/errors.ts';
import type { ImageSettings } from '../settings.ts';
import { readBmpHeader } from './bmp-header.ts';
import { readBmpPixels } from './bmp.ts';
import { FETCH_AGAIN, damagedError } from './damage.ts';
import { type ReadFormat, formatOfBytes } from './formats.ts';
import { prepareGif } from './gif.ts';
import { prepareJpeg } from './jpeg.ts';
import { turnUpright, xmpOrientation } from './orientation.ts';
import { preparePng, preparePngHead } from './png.ts';
import type { PreparedImage } from './prepared.ts';
import { loadSharp } from '../../pictures/sharp.ts';
import { prepareTiff } from './tiff.ts';
import type { Size } from './transforms.ts';
import { prepareWebp } from './webp.ts';

/** An image whose pixels are not decoded yet. */
export interface OpenedImage {
  /** Upright. */
  readonly size: Size;
  readonly format: ReadFormat;
  /** There are frames or pages behind the first, which is the one that is read. */
  readonly hasMore: boolean;
  /** The pixels, upright, over the background where they are transparent. */
  pixels(settings: Pick<ImageSettings, 'background' | 'channels' | 'maxPixels'>): Promise<Sharp>;
}

type Prepare = (bytes: Uint8Array, origin: string) => PreparedImage;

/** AVIF states how it is turned in a way that every decoder heeds. */
const PREPARE: Readonly<Record<Exclude<ReadFormat, 'bmp'>, Prepare>> = {
  jpeg: prepareJpeg,
  png: preparePng,
  gif: prepareGif,
  webp: prepareWebp,
  tiff: prepareTiff,
  avif: (bytes) => ({ bytes }),
};

/**
 * What the header of an encoded image says, after its file is checked for damage.
 * @throws RectiflowError naming the image: empty, no image, damaged, or of more than maxPixels
 */
export async function openImage(bytes: Uint8Array, origin: string, maxPixels: number): Promise<OpenedImage> {
  if (bytes.length === 0) throw fileError(origin, 'is empty (0 bytes)', FETCH_AGAIN);
  const format = readableFormat(bytes, origin);
  const opened =
    format === 'bmp'
      ? openBmp(bytes, origin)
      : await openEncoded(format, PREPARE[format](bytes, origin), origin);
  const { height, width } = opened.size;
  if (height * width <= maxPixels) return opened;
  const problem = `has ${height}x${width} (height x width) = ${height * width} pixels, more than data.maxPixels = ${maxPixels}`;
  throw fileError(origin, problem, 'Make it smaller, remove it, or raise data.maxPixels');
}

/**
 * The size of an image, upright, by the first bytes of its file.
 * @returns undefined where they are too few to tell, or tell nothing: then the whole file says what it is
 */
export async function readHeader(head: Uint8Array): Promise<Size | undefined> {
  const format = formatOfBytes(head);
  // Most others say behind their pixels how they are turned.
  if (format !== 'jpeg' && format !== 'png') return undefined;
  const prepared = format === 'png' ? preparePngHead(head) : { bytes: head };
  if (prepared === undefined) return undefined;
  const sharp = await loadSharp();
  try {
    const header = await sharp(head, { failOn: 'none', limitInputPixels: false }).metadata();
    const orientation = header.orientation === undefined ? orientationOf(format, prepared, header) : 1;
    const { height, width } = header.autoOrient;
    return orientation !== undefined && orientation > 4
      ? { height: width, width: height }
      : { height, width };
  } catch {
    return undefined;
  }
}

/** A BMP, which the decoder does not know. */
function openBmp(bytes: Uint8Array, origin: string): OpenedImage {
  const header = readBmpHeader(bytes, origin);
  const { height, width } = header;
  return {
    size: { height, width },
    format: 'bmp',
    hasMore: false,
    pixels: async ({ background }) => {
      const sharp = await loadSharp();
      const { pixels, channels } = readBmpPixels(bytes, header, origin);
      const image = sharp(pixels, { raw: { width, height, channels } });
      return channels === 4 ? image.flatten({ background }) : image;
    },
  };
}

async function openEncoded(
  format: Exclude<ReadFormat, 'bmp'>,
  prepared: PreparedImage,
  origin: string,
): Promise<OpenedImage> {
  const sharp = await loadSharp();
  const header = await orDamaged(origin, () => sharp(prepared.bytes, { limitInputPixels: false }).metadata());
  // What the decoder finds it heeds; of a TIFF that says nothing it takes 1 to be said.
  const isHeeded =
    header.orientation !== undefined && (format !== 'tiff' || prepared.orientation !== undefined);
  const orientation = isHeeded ? undefined : orientationOf(format, prepared, header);
  const { height, width } = header.autoOrient;
  return {
    size: orientation !== undefined && orientation > 4 ? { height: width, width: height } : { height, width },
    format,
    hasMore: prepared.hasMore ?? (header.pages ?? 1) > 1,
    pixels: async (settings) => {
      const image = await flattened(prepared, header, settings);
      return orientation === undefined ? image.autoOrient() : turned(image, orientation, settings.channels);
    },
  };
}

/** What the decoder says where its reason is lost. */
const NO_REASON = /^unknown error|^Warning treated as error|read gave \d+ warnings/i;

/** The decoder's words for what is wrong with a file, in ours. */
export async function orDamaged<T>(origin: string, decode: () => Promise<T>): Promise<T> {
  try {
    return await decode();
  } catch (error) {
    if (error instanceof RectiflowError) throw error;
    // The decoder gives a line per attempt, of which the last one that has words says the most.
    const lines = (error as Error).message
      .split('\n')
      .filter((line) => /[a-z]/i.test(line) && !NO_REASON.test(line));
    throw damagedError(origin, lines.at(-1)?.trim().replace(/[.:]$/, ''), error);
  }
}

/** The space in which images of so many channels are worked on. */
export function colourspaceOf(channels: 1 | 3): 'b-w' | 'srgb' {
  return channels === 1 ? 'b-w' : 'srgb';
}

/** The decoder is given nothing that it was not asked for: it knows more formats, some of which are programs. */
function readableFormat(bytes: Uint8Array, origin: string): ReadFormat {
  const format = formatOfBytes(bytes);
  if (typeof format === 'string') return format;
  if (format !== undefined)
    throw fileError(
      origin,
      `is ${format.name}, which is not read`,
      format.advice.replace('FILE', () => origin),
    );
  const start = Buffer.from(bytes.subarray(0, 16)).toString('latin1');
  const found = JSON.stringify(start.replaceAll(/[^ -~]/g, '.'));
  const problem = `is no JPEG, PNG, WebP, AVIF, TIFF, GIF or BMP image: it starts with ${found}`;
  throw fileError(origin, problem, 'Convert it, or remove it');
}

function orientationOf(format: ReadFormat, prepared: PreparedImage, { xmp }: Metadata): number | undefined {
  if (prepared.orientation !== undefined || format === 'avif') return prepared.orientation;
  const text = prepared.xmp ?? xmp?.toString('latin1');
  return text === undefined ? undefined : xmpOrientation(text);
}

async function flattened(
  { bytes, isStrict, hasOtherChannel }: PreparedImage,
  header: Metadata,
  { background, maxPixels }: Pick<ImageSettings, 'background' | 'maxPixels'>,
): Promise<Sharp> {
  const sharp = await loadSharp();
  // 'error' also stands for truncated files, but not for warnings, some of which are harmless.
  const failOn = isStrict ? 'warning' : 'error';
  const image = sharp(bytes, { failOn, limitInputPixels: maxPixels, sequentialRead: true });
  if (!header.hasAlpha) return image;
  if (hasOtherChannel) return image.removeAlpha();
  // A background has a colour, which a grey image can show only once it is RGB.
  if (header.space === 'b-w' || header.space === 'grey16') image.pipelineColourspace('srgb');
  return image.flatten({ background });
}

/** Pixels that the decoder does not turn by itself. */
async function turned(image: Sharp, orientation: number, channels: 1 | 3): Promise<Sharp> {
  const sharp = await loadSharp();
  const { data, info } = await image
    .toColourspace(colourspaceOf(channels))
    .raw({ depth: 'uchar' })
    .toBuffer({ resolveWithObject: true });
  const { pixels, ...size } = turnUpright(data, info, channels, orientation);
  return sharp(pixels, { raw: { ...size, channels } });
}
