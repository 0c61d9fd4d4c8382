import type { Canvas } from '../image.ts';
import { GLYPH_HEIGHT, GLYPH_WIDTH, glyphOf } from './font.ts';

/** Each pixel of a letter is so many wide and high. */
const SCALE = 2;
const ADVANCE = SCALE * (GLYPH_WIDTH + 1);
export const LINE_HEIGHT: number = SCALE * (GLYPH_HEIGHT + 1);
const ELLIPSIS = '...';

/** Typography that has a plain form. */
const PLAIN: Readonly<Record<string, string>> = {
  '‘': "'",
  '’': "'",
  '“': '"',
  '”': '"',
  '–': '-',
  '—': '-',
  '…': ELLIPSIS,
};

/** How many letters fit side by side. */
export function columnsOf(width: number): number {
  return Math.floor((width + SCALE) / ADVANCE);
}

/** Text in lines of at most `columns` letters, broken between words where that can be; what is too much gives way to "...". */
export function wrap(text: string, columns: number, most: number): string[] {
  const lines: string[] = [];
  for (const word of plain(text).split(/\s+/u)) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + 1 + word.length <= columns)
      lines.splice(-1, 1, `${line} ${word}`);
    else for (let at = 0; at < word.length; at += columns) lines.push(word.slice(at, at + columns));
  }
  if (lines.length <= most) return lines;
  const last = lines[most - 1]!.slice(0, columns - ELLIPSIS.length).trimEnd();
  return [...lines.slice(0, most - 1), last + ELLIPSIS];
}

/** Letters without accents where there are such; one UTF-16 unit each. */
function plain(text: string): string {
  const letters = text.normalize('NFKD').replace(/\p{M}/gu, '');
  return Array.from(letters, (letter) => PLAIN[letter] ?? (letter.length > 1 ? '\uFFFD' : letter)).join('');
}

/** Draws a line of text on RGB, centred in [left, left + width). */
export function drawLine(
  canvas: Canvas,
  line: string,
  left: number,
  top: number,
  width: number,
  grey: number,
): void {
  const start = left + Math.floor((width - (line.length * ADVANCE - SCALE)) / 2);
  Array.from(line, (letter, place) => {
    const x = start + place * ADVANCE;
    glyphOf(letter).forEach((row, y) =>
      row.forEach((isInk, column) => {
        if (isInk) fillSquare(canvas, x + SCALE * column, top + SCALE * y, grey);
      }),
    );
  });
}

function fillSquare({ width, pixels }: Canvas, left: number, top: number, grey: number): void {
  for (let y = top; y < top + SCALE; y++) {
    pixels.fill(grey, 3 * (y * width + left), 3 * (y * width + left + SCALE));
  }
}
