// Previews of images that are read at several sizes: some of each, one size below the other.
import { shapesOf, nameOfShape } from '../data/sample-sizes.ts';
import { SampleReader } from '../data/sample-reader.ts';
import { epochOrder } from '../data/sampler.ts';
import { type Annotation, type ImageShape, type Source, imageSize } from '../data/source.ts';
import type { Canvas } from './image.ts';
import { PIXEL_RANGES, toPicture } from './preview/pictures.ts';
import { type Captioned, drawSheet, stackPictures } from './preview/sheet.ts';
import type { PreviewOptions } from './preview.ts';

export interface SizesPreview {
  readonly canvas: Canvas;
  /** Pictures that are drawn. */
  readonly count: number;
}

/**
 * The first samples of each size that a training with this seed reads in an epoch, in their order, with their size and what the model
 * is told below each: about as many as asked for in all, and one of each size at least.
 * @param textOf what the model is told of a sample
 * @throws RectiflowError where one cannot be read
 */
export async function drawSizesPreview(
  source: Source,
  { count = 64, epoch = 0, seed, signal, ...reading }: PreviewOptions,
  textOf: (annotation: Annotation) => string,
): Promise<SizesPreview> {
  const reader = new SampleReader(source, reading);
  const shapes = shapesOf(source) as readonly ImageShape[];
  const order = [...epochOrder(source.count, seed, epoch)];
  const ofShape = (place: number): number[] =>
    source.sizes?.of ? order.filter((index) => source.sizes!.of!(index) === place) : order;
  const all = shapes.map((shape, place) => ({ shape, indices: ofShape(place) }));
  const filled = all.filter(({ indices }) => indices.length > 0);
  const each = Math.max(1, Math.floor(count / filled.length));
  const sheets: Canvas[] = [];
  let drawn = 0;
  for (const { shape, indices } of filled) {
    signal?.throwIfAborted();
    const [, height, width] = shape;
    const read = async (index: number): Promise<Captioned> => {
      const values = new Float32Array(imageSize(shape));
      const annotation = await reader.read(index, values, 0, { seed, epoch, shape });
      const picture = await toPicture(values, [shape[0] < 3 ? 1 : 3, height, width], PIXEL_RANGES);
      return { picture, text: [nameOfShape(shape), textOf(annotation)].filter(Boolean).join(' ') };
    };
    const samples: Captioned[] = [];
    for (const index of indices.slice(0, each)) samples.push(await read(index));
    sheets.push(await drawSheet(samples));
    drawn += samples.length;
  }
  return { canvas: stackPictures(sheets), count: drawn };
}
