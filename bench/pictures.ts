// Files to load: pictures with the statistics of photographs, made once for a measurement.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';

export interface PictureFiles {
  readonly count: number;
  readonly width: number;
  readonly height: number;
  readonly format: 'jpeg' | 'png';
}

/** What pictures are cut out of. */
const canvas = { width: 2400, height: 1800, channels: 3 } as const;
const classes = 10;
const atOnce = 8;

/**
 * Fills ten class folders with cuts of a large canvas of noise whose spectrum falls with the frequency, as that of
 * photographs does: a JPEG of 500x375 pixels at quality 90 has 27 KB or so.
 */
export async function writePictures(folder: string, files: PictureFiles): Promise<void> {
  const { count, width, height, format } = files;
  const pixels = await paintCanvas();
  const random = generator(1);
  for (let label = 0; label < classes; label++)
    await mkdir(join(folder, `class-${label}`), { recursive: true });
  const write = async (index: number): Promise<void> => {
    // A cut is shrunk to between 100 % and 40 %, so that pictures differ in their detail.
    const zoom = 1 + 1.5 * random();
    const [wide, tall] = [Math.round(width * zoom), Math.round(height * zoom)];
    const left = Math.floor(random() * (canvas.width - wide));
    const top = Math.floor(random() * (canvas.height - tall));
    const picture = sharp(pixels, { raw: canvas })
      .extract({ left, top, width: wide, height: tall })
      .resize({ width, height, fit: 'fill' });
    const bytes = await (format === 'jpeg' ? picture.jpeg({ quality: 90 }) : picture.png()).toBuffer();
    const name = `${String(index).padStart(6, '0')}.${format === 'jpeg' ? 'jpg' : 'png'}`;
    await writeFile(join(folder, `class-${index % classes}`, name), bytes);
  };
  for (let first = 0; first < count; first += atOnce) {
    const indices = Array.from({ length: Math.min(atOnce, count - first) }, (_, i) => first + i);
    await Promise.all(indices.map(write));
  }
}

/** A sum of noise at all scales: from one to the next the waves are half as long, and a bit more than half as high. */
async function paintCanvas(): Promise<Uint8Array> {
  const { width, height } = canvas;
  const random = generator(0);
  const sum = new Float32Array(width * height * 3).fill(128);
  for (let cells = 4, amplitude = 80; cells <= width; cells *= 2, amplitude *= 0.58) {
    const [across, down] = [cells, Math.ceil((cells * height) / width)];
    const noise = Uint8Array.from({ length: across * down * 3 }, () => 256 * random());
    const smooth = await sharp(noise, { raw: { width: across, height: down, channels: 3 } })
      .resize({ width, height, fit: 'fill', kernel: 'cubic' })
      .raw()
      .toBuffer();
    // Brightness has most of a photograph's contrast: colours take half a share.
    for (let at = 0; at < sum.length; at += 3) {
      const grey = (smooth[at]! + smooth[at + 1]! + smooth[at + 2]!) / 3 - 127.5;
      for (let channel = 0; channel < 3; channel++) {
        sum[at + channel]! += (amplitude / 64) * (1.5 * grey + 0.25 * (smooth[at + channel]! - 127.5));
      }
    }
  }
  return Uint8Array.from(new Uint8ClampedArray(sum));
}

/** Mulberry32: uniform numbers in [0, 1), the same for the same seed. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
