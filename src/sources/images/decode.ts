import type { Sharp } from 'sharp';
import type { ImageSettings } from '../settings.ts';
import type { Placement, ReadKey } from '../../data/source.ts';
import { transformsAt } from './image-sizes.ts';
import { colourspaceOf, openImage, orDamaged } from './open-image.ts';
import { loadSharp } from '../../pictures/sharp.ts';
import { type Size, type Step, planTransforms } from './transforms.ts';

export interface EncodedImage {
  /** A whole JPEG, PNG, WebP, AVIF, TIFF, GIF or BMP file; of an animation the first frame is read. */
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
 * @returns how it came to that
 * @throws RectiflowError naming the image: empty, no image, damaged, larger than maxPixels or smaller than a crop
 */
export async function decodeImage(
  image: EncodedImage,
  out: Float32Array,
  offset: number,
): Promise<Placement> {
  const { bytes, origin, settings, key, index } = image;
  const { channels, maxPixels } = settings;
  const transforms = transformsAt(settings, key.shape);
  const { size, pixels: upright } = await openImage(bytes, origin, maxPixels);
  const plan = planTransforms({ transforms, size, key, index, origin, maxPixels });
  const pixels = await orDamaged(origin, async () =>
    applySteps(await upright(settings), plan.steps, channels),
  );
  writePlanes(pixels, plan.size, channels, plan.mirrored, out, offset);
  return { original: [size.height, size.width], crop: plan.crop };
}

/** One pipeline holds a crop, a resize and a crop; more of them take several. */
async function applySteps(image: Sharp, steps: readonly Step[], channels: 1 | 3): Promise<Uint8Array> {
  const sharp = await loadSharp();
  const colourspace = colourspaceOf(channels);
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
