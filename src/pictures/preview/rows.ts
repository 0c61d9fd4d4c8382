import type { Canvas } from '../image.ts';
import { BACKGROUND, GAP, INK, MARGIN, paste } from './sheet.ts';
import { LINE_HEIGHT, columnsOf, drawLine, wrap } from './text.ts';

export interface TitledRow {
  readonly title: string;
  readonly pictures: readonly Canvas[];
}

const TITLE_WIDTH = 220;
const MOST_LINES = 4;

/** Rows of pictures of one size, all of as many, with their titles to the left of them. */
export async function drawRows(rows: readonly TitledRow[]): Promise<Canvas> {
  const { width: pictureWidth, height: pictureHeight } = rows[0]!.pictures[0]!;
  const left = MARGIN + TITLE_WIDTH + GAP;
  const width = left + rows[0]!.pictures.length * (pictureWidth + GAP) - GAP + MARGIN;
  const height = 2 * MARGIN + rows.length * (pictureHeight + GAP) - GAP;
  const pixels = new Uint8Array(3 * width * height).fill(BACKGROUND);
  const sheet = { width, height, channels: 3, pixels } as const;
  for (const [i, { title, pictures }] of rows.entries()) {
    const top = MARGIN + i * (pictureHeight + GAP);
    const lines = wrap(title, columnsOf(TITLE_WIDTH), MOST_LINES);
    const firstLine = top + Math.max(0, Math.floor((pictureHeight - lines.length * LINE_HEIGHT) / 2));
    for (const [n, line] of lines.entries())
      await drawLine(sheet, line, MARGIN, firstLine + n * LINE_HEIGHT, TITLE_WIDTH, INK);
    for (const [column, picture] of pictures.entries())
      paste(sheet, picture, left + column * (pictureWidth + GAP), top);
  }
  return sheet;
}
