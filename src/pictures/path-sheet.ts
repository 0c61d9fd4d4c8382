// The path of a sample as one picture: a column for each of some times.
import { type ImageShape, imageSize } from '../data/source.ts';
import { type Canvas, drawGrid } from './image.ts';
import { labelGrid } from './preview/labels.ts';
import { displayScale } from './sample-pictures.ts';

/** Times that are shown at most. */
const mostColumns = 11;

export interface PathSheet {
  /** From noise to data. */
  readonly times: readonly number[];
  /** Of a picture. */
  readonly shape: ImageShape;
  /** From above: a picture for each time, [times, C, H, W]. */
  readonly rows: readonly { readonly title: string; readonly values: Float32Array }[];
}

/** Of many times some are shown that are equally far apart, the first and the last among them. */
export async function drawPathSheet({ times, shape, rows }: PathSheet): Promise<Canvas> {
  const size = imageSize(shape);
  const columns = Math.min(mostColumns, times.length);
  const shown = Array.from({ length: columns }, (_, i) =>
    Math.round((i * (times.length - 1)) / Math.max(1, columns - 1)),
  );
  const pixels = new Float32Array(rows.length * columns * size);
  rows.forEach(({ values }, y) =>
    shown.forEach((time, x) =>
      pixels.set(values.subarray(time * size, (time + 1) * size), (y * columns + x) * size),
    ),
  );
  const scale = displayScale(shape);
  const labels = {
    rows: rows.map(({ title }) => title),
    columns: shown.map((time, i) => `${i === 0 ? 't=' : ''}${Number(times[time]!.toFixed(2))}`),
  };
  const picture = { height: shape[1] * scale, width: shape[2] * scale };
  return labelGrid(drawGrid(pixels, shape, { columns, scale }), labels, picture);
}
