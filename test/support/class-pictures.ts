// Pictures in folders of their classes, with the numbers that are in them.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';

export interface ClassPictures {
  /** [N, 3, H, W], in the order of names. */
  readonly images: Uint8Array;
  readonly labels: readonly number[];
}

/** PNG files whose upper half is bright in one class, their lower half in the next, each of another colour. */
export async function writeClassPictures(
  folder: string,
  classes: readonly string[],
  perClass: number,
  [height, width]: readonly [height: number, width: number],
): Promise<ClassPictures> {
  const plane = height * width;
  const images = new Uint8Array(classes.length * perClass * 3 * plane);
  const labels: number[] = [];
  for (const [label, name] of classes.entries()) {
    await mkdir(join(folder, name), { recursive: true });
    for (let i = 0; i < perClass; i++) {
      const start = labels.length * 3 * plane;
      labels.push(label);
      const pixels = new Uint8Array(3 * plane);
      for (let at = 0; at < plane; at++) {
        const isUpper = at < plane / 2;
        const bright = isUpper === (label % 2 === 0) ? 200 + 5 * i : 20;
        const colour = [bright, 255 - bright, 30 * i];
        for (const [channel, value] of colour.entries()) {
          pixels[3 * at + channel] = value;
          images[start + channel * plane + at] = value;
        }
      }
      const image = sharp(pixels, { raw: { width, height, channels: 3 } });
      await image.png().toFile(join(folder, name, `${i}.png`));
    }
  }
  return { images, labels };
}
