// From a file to the numbers that are learnt from, in a worker.
import { drawPicture } from './draw-picture.ts';
import { type GivenPicture, NoPicture, type PictureForm } from './pictures.ts';

/**
 * Upright, on white where it is transparent, its middle resized so that the shorter side fits.
 * @returns [C, H, W]
 * @throws NoPicture where the file is damaged, no picture, or smaller than what is wanted
 */
export async function readPicture(
  { origin }: Pick<GivenPicture, 'origin'>,
  form: PictureForm,
): Promise<Uint8Array<ArrayBuffer>> {
  if ('drawn' in origin) return drawPicture(origin.drawn, origin.number, form);
  const whole = await decoded(origin.file);
  try {
    return await pixelsOf(whole, form);
  } finally {
    whole.close();
  }
}

async function decoded(file: File): Promise<ImageBitmap> {
  if (file.size === 0) throw new NoPicture('is empty');
  try {
    return await createImageBitmap(file, { imageOrientation: 'from-image' });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'NotReadableError')
      throw new NoPicture('cannot be read any more: it was moved, changed or removed');
    const isCalledPicture = file.type.startsWith('image/');
    throw new NoPicture(
      isCalledPicture
        ? `is damaged, or of a kind that this browser does not read (${file.type})`
        : `is no picture${file.type === '' ? '' : ` (${file.type})`}`,
    );
  }
}

async function pixelsOf(
  whole: ImageBitmap,
  { size, channels }: PictureForm,
): Promise<Uint8Array<ArrayBuffer>> {
  const [height, width] = size;
  if (whole.width < width || whole.height < height)
    throw new NoPicture(
      `is ${whole.width} ${whole.width === 1 ? 'pixel' : 'pixels'} wide and ${whole.height} high, smaller than ${width} x ${height}`,
    );
  const scale = Math.min(whole.width / width, whole.height / height);
  const [fromWidth, fromHeight] = [Math.round(width * scale), Math.round(height * scale)];
  const left = Math.floor((whole.width - fromWidth) / 2);
  const top = Math.floor((whole.height - fromHeight) / 2);
  const middle = await createImageBitmap(whole, left, top, fromWidth, fromHeight, {
    resizeWidth: width,
    resizeHeight: height,
    resizeQuality: 'high',
  });
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true })!;
  context.fillStyle = '#ffffff';
  context.fillRect(0, 0, width, height);
  context.drawImage(middle, 0, 0);
  middle.close();
  return planesOf(context.getImageData(0, 0, width, height).data, channels);
}

/** How bright red, green and blue are in grey (Rec. 709). */
const brightness = [0.2126, 0.7152, 0.0722] as const;

/** @param rgba [H, W, 4] @returns [C, H, W] */
function planesOf(rgba: Uint8ClampedArray, channels: 1 | 3): Uint8Array<ArrayBuffer> {
  const plane = rgba.length / 4;
  const pixels = new Uint8Array(channels * plane);
  for (let at = 0; at < plane; at++) {
    const [red, green, blue] = [rgba[4 * at]!, rgba[4 * at + 1]!, rgba[4 * at + 2]!];
    if (channels === 1)
      pixels[at] = Math.round(brightness[0] * red + brightness[1] * green + brightness[2] * blue);
    else for (const [channel, value] of [red, green, blue].entries()) pixels[channel * plane + at] = value;
  }
  return pixels;
}
