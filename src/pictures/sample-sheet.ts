// Samples side by side, those of one label or caption in a row.
import { type Annotation, type ImageShape, imageSize } from '../data/source.ts';
import { type Canvas, drawGrid } from './image.ts';
import { labelGrid } from './preview/labels.ts';
import { displayScale } from './sample-pictures.ts';
import { greatest } from '../tensor/extremes.ts';
import { rowTitle } from '../train/sample-grid.ts';

/** The most of each label or caption, and the side of the square of samples without, that a sheet shows. */
const sheetColumns = 10;

export interface SheetOfSamples {
  /** [N, C, H, W] in about [-1, 1]. */
  readonly values: Float32Array;
  /** Of one sample. */
  readonly shape: ImageShape;
  /** Of each sample; empty for a model that is told nothing. */
  readonly annotations: readonly Annotation[];
  readonly data: { readonly classNames?: readonly string[] | undefined };
}

export async function drawSampleSheet({ values, shape, annotations, data }: SheetOfSamples): Promise<Canvas> {
  const size = imageSize(shape);
  const isPlain = annotations.length === 0;
  const limit = isPlain ? sheetColumns ** 2 : sheetColumns;
  const rows = new Map<number | string, { readonly title: string; readonly images: number[] }>();
  for (let i = 0; i < values.length / size; i++) {
    const { label, caption } = annotations[i] ?? {};
    // Two classes may have one name.
    const key = caption ?? label ?? '';
    if (!rows.has(key))
      rows.set(key, { title: isPlain ? '' : rowTitle(annotations[i]!, data.classNames), images: [] });
    const { images } = rows.get(key)!;
    if (images.length < limit) images.push(i);
  }
  const shown = Array.from(rows.values(), ({ images }) => images);
  const most = greatest(shown.map((row) => row.length));
  const columns = isPlain ? Math.ceil(Math.sqrt(most)) : most;
  // What a row lacks is as grey as what is between the images.
  const pixels = new Float32Array(shown.length * most * size);
  shown.forEach((row, y) =>
    row.forEach((i, x) => pixels.set(values.subarray(i * size, (i + 1) * size), (y * most + x) * size)),
  );
  const scale = displayScale(shape);
  const labels = { rows: isPlain ? [] : Array.from(rows.values(), ({ title }) => title) };
  const picture = { height: shape[1] * scale, width: shape[2] * scale };
  return labelGrid(drawGrid(pixels, shape, { columns, scale }), labels, picture);
}
