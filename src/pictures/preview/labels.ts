import { greatest } from '../../tensor/extremes.ts';
import { type Canvas, GRID_GAP, inColour } from '../image.ts';
import { BACKGROUND, GAP, INK, paste } from './sheet.ts';
import { LINE_HEIGHT, columnsOf, drawLine, widthOf, wrap } from './text.ts';

export interface GridLabels {
  /** From above; none where they show nothing in particular. */
  readonly rows: readonly string[];
  /** From the left; none by default. */
  readonly columns?: readonly string[];
}

const MOST_WIDTH = 220;
const MARGIN = 8;

/**
 * A grid of images with what its rows show to the left of it, and what its columns show above it. Labels of images that are
 * smaller than text are left out as far as they would lie on each other.
 * @param image size of one, as it is shown
 */
export async function labelGrid(
  grid: Canvas,
  { rows, columns = [] }: GridLabels,
  image: { readonly height: number; readonly width: number },
): Promise<Canvas> {
  if (rows.length === 0 && columns.length === 0) return grid;
  const cell = { height: image.height + GRID_GAP, width: image.width + GRID_GAP };
  const mostLines = Math.max(1, Math.floor(cell.height / LINE_HEIGHT));
  const wrapped = rows.map((row) => wrap(row, columnsOf(MOST_WIDTH), mostLines));
  const labelWidth = Math.max(0, greatest(wrapped.flat().map(widthOf)));
  const left = labelWidth > 0 ? labelWidth + GAP : MARGIN;
  const top = columns.length > 0 ? MARGIN + LINE_HEIGHT : MARGIN;
  const [width, height] = [left + grid.width + MARGIN, top + grid.height + MARGIN];
  const sheet = {
    width,
    height,
    channels: 3,
    pixels: new Uint8Array(3 * width * height).fill(BACKGROUND),
  } as const;
  paste(sheet, inColour(grid), left, top);
  const everyRow = Math.ceil(LINE_HEIGHT / cell.height);
  for (const [i, lines] of wrapped.entries()) {
    if (i % everyRow > 0) continue;
    const first =
      top + i * cell.height + Math.max(0, Math.floor((image.height - lines.length * LINE_HEIGHT) / 2));
    for (const [n, line] of lines.entries())
      await drawLine(sheet, line, MARGIN, first + n * LINE_HEIGHT, labelWidth, INK);
  }
  const everyColumn = Math.ceil(Math.max(0, greatest(columns.map(widthOf))) / cell.width);
  for (const [i, column] of columns.entries()) {
    if (i % everyColumn > 0) continue;
    const middle = left + i * cell.width + Math.floor(image.width / 2);
    const half = Math.ceil(widthOf(column) / 2);
    await drawLine(sheet, column, middle - half, MARGIN / 2, 2 * half, INK);
  }
  return sheet;
}
