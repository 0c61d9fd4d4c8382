import { join } from 'node:path';
import { writeGrid, writeImage } from '../data/image.ts';
import { imageSize } from '../data/source.ts';
import { RectiflowError, formatShape } from '../tensor/errors.ts';
import { displayScale, isPicture } from '../train/sample-grid.ts';
import type { Samples } from './sample.ts';

/** The most of each label, and the side of the square of samples without labels, that a grid shows. */
const gridColumns = 10;

/**
 * Writes each sample as folder/<label>/<index>.png, so that the folder is itself a data set, or as folder/<index>.png for a
 * model without classes; and the first of each label side by side as folder/grid.png.
 * @returns how many samples were written, and the path of the grid
 * @throws RectiflowError for samples that are no pictures, and when a file cannot be written
 */
export async function writeSamples(
  folder: string,
  samples: Samples,
): Promise<{ files: number; grid: string }> {
  const { images, shape, labels } = samples;
  if (!isPicture(shape)) {
    const message = `samples are ${formatShape(shape)}: only those of one channel (grey) or three (RGB) can be written as PNG`;
    throw new RectiflowError('value', `${folder}: ${message}. Use sample() of the library for the numbers.`);
  }
  const size = imageSize(shape);
  const count = images.length / size;
  const image = (i: number): Float32Array => images.subarray(i * size, (i + 1) * size);
  const shown: number[] = [];
  const written = new Map<number | undefined, number>();
  const limit = labels ? gridColumns : gridColumns ** 2;
  for (let i = 0; i < count; i++) {
    const label = labels?.[i];
    const index = written.get(label) ?? 0;
    written.set(label, index + 1);
    if (index < limit) shown.push(i);
    await writeImage(join(folder, label === undefined ? '' : String(label), `${index}.png`), image(i), shape);
  }
  const grid = join(folder, 'grid.png');
  const side = labels
    ? Math.min(gridColumns, Math.max(...written.values()))
    : Math.ceil(Math.sqrt(shown.length));
  const pixels = new Float32Array(shown.length * size);
  shown.forEach((i, at) => pixels.set(image(i), at * size));
  await writeGrid(grid, pixels, shape, { columns: side, scale: displayScale(shape) });
  return { files: count, grid };
}
