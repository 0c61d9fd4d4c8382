// Data that are not there, as a recipe expects them: for whoever asks what a training would take.
import type { Inspectable } from '../data/inspect.ts';
import type { Source } from '../data/source.ts';
import { loadSharp } from '../pictures/sharp.ts';
import type { ExpectedData } from '../recipes/index.ts';
import { imageSource } from '../sources/images/image-source.ts';
import type { DataConfig } from '../sources/settings.ts';
import { internalError } from '../tensor/errors.ts';
import { philoxUniform } from '../tensor/philox.ts';

/** A usual photograph of the web, which takes as long to decode: quality and noise make 110 kB of it. */
const photograph = { width: 500, height: 375, quality: 92, noise: 75 } as const;

/** In words. */
export const describeAssumed: string = `a photograph of ${photograph.width}x${photograph.height} pixels, 110 kB of JPEG, stands for each image`;

/** As many images as a recipe expects, all of them one photograph, in as many classes. */
export async function assumedSource(
  data: DataConfig,
  { name, count, classes }: ExpectedData,
): Promise<Source & Inspectable> {
  if (!('transforms' in data)) throw internalError(`the recipe of ${name} expects data that are no images`);
  const bytes = await drawPhotograph();
  return imageSource({
    name: `${name} (assumed)`,
    items: {
      count,
      bytes: () => bytes,
      label: (index) => index % classes,
      describe: (index) => `${name}, image ${index}`,
    },
    settings: data,
    condition: 'class',
    told: { label: 'folder' },
  });
}

/** Slow waves of each colour, and noise. */
async function drawPhotograph(): Promise<Uint8Array> {
  const { width, height, quality, noise } = photograph;
  const drawn = philoxUniform({
    seed: 0,
    stream: 0,
    step: 0,
    firstSample: 0,
    samples: height,
    elements: 3 * width,
  });
  const pixels = Uint8Array.from(drawn, (uniform, i) => {
    const [channel, column, row] = [i % 3, Math.floor(i / 3) % width, Math.floor(i / (3 * width))];
    const wave = Math.sin((column * (channel + 2)) / 60) * Math.cos((row * (channel + 1)) / 45);
    return 128 + 80 * wave + noise * (uniform - 0.5);
  });
  const sharp = await loadSharp();
  return sharp(pixels, { raw: { width, height, channels: 3 } })
    .jpeg({ quality })
    .toBuffer();
}
