import type { Canvas } from '../image.ts';
import { LINE_HEIGHT, columnsOf, drawLine, wrap } from './text.ts';

export interface Captioned {
  readonly picture: Canvas;
  readonly text: string;
}

export const BACKGROUND: number = 0xd8;
export const INK: number = 0x20;
export const MARGIN: number = 24;
export const GAP: number = 16;
const TEXT_GAP = 8;
const LEAST_WIDTH = 156;
const MOST_LINES = 3;

/** Pictures of one size side by side, row by row, on grey, with their text below them. */
export async function drawSheet(samples: readonly Captioned[]): Promise<Canvas> {
  const { width: pictureWidth, height: pictureHeight } = samples[0]!.picture;
  const columns = Math.ceil(Math.sqrt(samples.length));
  const cellWidth = Math.max(LEAST_WIDTH, pictureWidth);
  const rows = Array.from({ length: Math.ceil(samples.length / columns) }, (_, row) =>
    samples.slice(row * columns, (row + 1) * columns).map(({ picture, text }) => ({
      picture,
      lines: wrap(text, columnsOf(cellWidth), MOST_LINES),
    })),
  );
  const heights = rows.map((row) => {
    const lines = Math.max(...row.map((sample) => sample.lines.length));
    return pictureHeight + (lines > 0 ? TEXT_GAP + lines * LINE_HEIGHT : 0) + GAP;
  });
  const width = 2 * MARGIN + columns * (cellWidth + GAP) - GAP;
  const height = 2 * MARGIN + heights.reduce((sum, row) => sum + row, 0) - GAP;
  const pixels = new Uint8Array(3 * width * height).fill(BACKGROUND);
  const sheet = { width, height, channels: 3, pixels } as const;

  let top = MARGIN;
  for (const [i, row] of rows.entries()) {
    for (const [column, { picture, lines }] of row.entries()) {
      const left = MARGIN + column * (cellWidth + GAP);
      paste(sheet, picture, left + Math.floor((cellWidth - pictureWidth) / 2), top);
      const below = top + pictureHeight + TEXT_GAP;
      for (const [n, line] of lines.entries())
        await drawLine(sheet, line, left, below + n * LINE_HEIGHT, cellWidth, INK);
    }
    top += heights[i]!;
  }
  return sheet;
}

/** Pictures in colour, one below the other. */
export function stackPictures(pictures: readonly Canvas[]): Canvas {
  const width = Math.max(...pictures.map((picture) => picture.width));
  const height = pictures.reduce((sum, picture) => sum + picture.height, 0);
  const pixels = new Uint8Array(3 * width * height).fill(BACKGROUND);
  const sheet = { width, height, channels: 3, pixels } as const;
  let top = 0;
  for (const picture of pictures) {
    paste(sheet, picture, 0, top);
    top += picture.height;
  }
  return sheet;
}

export function paste(sheet: Canvas, { width, height, pixels }: Canvas, left: number, top: number): void {
  for (let y = 0; y < height; y++) {
    const row = pixels.subarray(3 * y * width, 3 * (y + 1) * width);
    sheet.pixels.set(row, 3 * ((top + y) * sheet.width + left));
  }
}
