// The samples of a run as pictures.
import { nameOfShape } from '../data/sample-sizes.ts';
import { type ImageShape, imageSize } from '../data/source.ts';
import type { SampleGrid, SamplesOfSize } from '../train/sample-grid.ts';
import { type Canvas, drawGrid, inColour, writePng } from './image.ts';
import { labelGrid } from './preview/labels.ts';
import { drawSheet, stackPictures } from './preview/sheet.ts';

/** Small images are enlarged until they are about this many pixels high. */
const shownHeight = 64;

/** How many times to enlarge an image so that one can see it. */
export function displayScale([, height, width]: ImageShape): number {
  return Math.max(1, Math.floor(shownHeight / Math.max(height, width)));
}

const titles = { ema: 'EMA', model: 'weights of the step' } as const;

/** Where the pictures go. */
export interface SamplePictures {
  readonly grid: string;
  /** Not written where nothing comes out of noise. */
  readonly path: string;
  /** Of data at several sizes. */
  readonly sizes?: string;
}

/** @throws RectiflowError of the code `file` where they cannot be written */
export async function writeSamplePictures(files: SamplePictures, grid: SampleGrid): Promise<void> {
  const { shape, columns, rows, sets, path } = grid;
  const scale = displayScale(shape);
  const size = { height: shape[1] * scale, width: shape[2] * scale };
  // A run's folder that is gone by now must not come to life again as a picture.
  if (path.columns.length > 0) {
    const strip = drawGrid(path.samples, shape, { columns: path.columns.length, scale });
    await writePng(files.path, await labelGrid(strip, { rows, columns: path.columns }, size), 'leave');
  }
  if (files.sizes !== undefined) await writePng(files.sizes, await drawSizes(grid.sizes!, scale), 'leave');
  const named = [];
  for (const { weights, samples } of sets) {
    const picture = await labelGrid(drawGrid(samples, shape, { columns, scale }), { rows }, size);
    named.push({ picture, text: titles[weights] });
  }
  const [only] = named;
  const sheet = named.map(({ picture, text }) => ({ picture: inColour(picture), text }));
  await writePng(files.grid, sheet.length > 1 ? await drawSheet(sheet) : only!.picture, 'leave');
}

/** A row of samples for each size, all enlarged alike. */
async function drawSizes(sizes: readonly SamplesOfSize[], scale: number): Promise<Canvas> {
  const rows = sizes.map(({ shape, samples }) => {
    const [, height, width] = shape;
    const row = drawGrid(samples, shape, { columns: samples.length / imageSize(shape), scale });
    return labelGrid(row, { rows: [nameOfShape(shape)] }, { height: height * scale, width: width * scale });
  });
  return stackPictures(await Promise.all(rows));
}
