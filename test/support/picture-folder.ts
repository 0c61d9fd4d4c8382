import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { temporaryFolder } from './cli.ts';
import { randomValues } from './random.ts';

/** A folder of smooth pictures, grey, in two classes: as photos are, each is much the same at any size. */
export async function pictureFolder(count = 13, side = 16): Promise<string> {
  const folder = await temporaryFolder();
  for (let i = 0; i < count; i++) {
    const label = join(folder, i % 2 === 0 ? 'bars' : 'blobs');
    await mkdir(label, { recursive: true });
    const corners = Uint8Array.from(randomValues(16, 40 + i), (value) => 128 + 60 * value);
    const small = sharp(corners, { raw: { width: 4, height: 4, channels: 1 } });
    await small
      .resize(side, side, { kernel: 'cubic' })
      .png()
      .toFile(join(label, `${i}.png`));
  }
  return folder;
}
