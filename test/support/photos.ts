import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';

/**
 * Pictures whose left half is of another colour than their right, in folders of their class: cats, dogs.
 * @param count of them; each is another
 */
export async function writePhotos(folder: string, count: number, side = 8): Promise<string> {
  for (let i = 0; i < count; i++) {
    const to = join(folder, i % 2 === 0 ? 'cats' : 'dogs');
    await mkdir(to, { recursive: true });
    const pixels = new Uint8Array(3 * side * side);
    for (let at = 0; at < side * side; at++) {
      const isLeft = at % side < side / 2;
      pixels.set(isLeft ? [30 * i, 200 - 20 * i, 40] : [90, 25 * i, 250 - 30 * i], 3 * at);
    }
    const image = sharp(pixels, { raw: { width: side, height: side, channels: 3 } });
    await image.png().toFile(join(to, `${i}.png`));
  }
  return folder;
}
