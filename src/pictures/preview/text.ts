import { printable } from '../../tensor/printable.ts';
import type { Canvas } from '../image.ts';
import { type Stamp, stampText } from './fonts.ts';
import { DIGIT_HEIGHT, DIGIT_WIDTH, GLYPH_HEIGHT, GLYPH_WIDTH, type Glyph, digits, glyphOf } from './font.ts';

/** Each pixel of a letter is so many wide and high. */
const SCALE = 2;
const ADVANCE = SCALE * (GLYPH_WIDTH + 1);
const HEIGHT = SCALE * GLYPH_HEIGHT;
export const LINE_HEIGHT: number = HEIGHT + SCALE;
const ELLIPSIS = '...';
/** Letters that are looked at: a text that has more is cut long before them. */
const MOST_LETTERS = 10_000;

const WIDE =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Extended_Pictographic}]/u;

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

/**
 * Text in lines that are no wider than `columns` letters, broken between words where that can be; what is too much gives way to
 * "...". Accents of the letters of English are left out; what nobody would see is escaped.
 */
export function wrap(text: string, columns: number, most: number): string[] {
  const lines: string[] = [];
  for (const word of text.slice(0, MOST_LETTERS).trim().split(/\s+/u).map(plain)) {
    const line = lines.at(-1);
    if (line !== undefined && columnsIn(line) + 1 + columnsIn(word) <= columns)
      lines.splice(-1, 1, `${line} ${word}`);
    else lines.push(...pieces(word, columns));
  }
  if (lines.length <= most) return lines;
  const [last] = split(lines[most - 1]!, columns - ELLIPSIS.length, 0);
  return [...lines.slice(0, most - 1), last.trimEnd() + ELLIPSIS];
}

function plain(word: string): string {
  return Array.from(printable(word.normalize('NFC')), (letter) => {
    const base = letter.normalize('NFKD').replace(/\p{M}/gu, '');
    return PLAIN[letter] ?? (/^[!-~]+$/.test(base) ? base : letter);
  }).join('');
}

/** Pixels of a line. */
export function widthOf(line: string): number {
  return line === '' ? 0 : columnsIn(line) * ADVANCE - SCALE;
}

function columnsIn(line: string): number {
  let width = 0;
  for (const letter of line) width += columnsFor(letter);
  return width;
}

/** Letters as wide as they are high take two, and those whose numbers have more than four digits. */
function columnsFor(letter: string): number {
  return letter.length > 1 || WIDE.test(letter) ? 2 : 1;
}

function pieces(word: string, columns: number): string[] {
  const found: string[] = [];
  for (let rest = word; rest !== '';) {
    const [start, behind] = split(rest, columns, 1);
    found.push(start);
    rest = behind;
  }
  return found;
}

/** The beginning of a word that fits, of so many letters at least, and the rest. */
function split(word: string, columns: number, least: number): [start: string, rest: string] {
  let [width, length] = [0, 0];
  for (const letter of word) {
    width += columnsFor(letter);
    if (width > columns && length >= least) break;
    length += letter.length;
  }
  return [word.slice(0, length), word.slice(length)];
}

/**
 * Draws a line of text on RGB, centred in [left, left + width). Letters that are not ours are drawn as the machine's fonts have
 * them, or as their numbers where it has none.
 */
export async function drawLine(
  canvas: Canvas,
  line: string,
  left: number,
  top: number,
  width: number,
  grey: number,
): Promise<void> {
  if (Array.from(line).some((letter) => glyphOf(letter) === undefined)) {
    const stamp = await stampText(line, grey, { height: LINE_HEIGHT, width });
    if (stamp !== undefined) {
      const [x, y] = [Math.floor((width - stamp.width) / 2), Math.floor((LINE_HEIGHT - stamp.height) / 2)];
      press(canvas, stamp, left + x, top + y);
      return;
    }
  }
  let x = left + Math.floor((width - widthOf(line)) / 2);
  for (const letter of line) {
    const glyph = glyphOf(letter);
    const columns = columnsFor(letter);
    if (glyph) drawGlyph(canvas, glyph, x, top, SCALE, grey);
    else drawNumber(canvas, letter, x, top, ADVANCE * columns - SCALE, grey);
    x += ADVANCE * columns;
  }
}

/** Lays a stamp over what is there, by its opacity. */
function press(canvas: Canvas, { height, width, pixels }: Stamp, left: number, top: number): void {
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = 4 * (y * width + x);
      const to = 3 * ((top + y) * canvas.width + left + x);
      const opacity = pixels[from + 3]! / 255;
      for (let channel = 0; channel < 3; channel++) {
        const below = canvas.pixels[to + channel]!;
        canvas.pixels[to + channel] = Math.round(below + opacity * (pixels[from + channel]! - below));
      }
    }
  }
}

/** The number of a character in Unicode, in two rows of digits with a frame around them. */
function drawNumber(
  canvas: Canvas,
  letter: string,
  left: number,
  top: number,
  width: number,
  grey: number,
): void {
  fillRectangle(canvas, left, top, width, 1, grey);
  fillRectangle(canvas, left, top + HEIGHT - 1, width, 1, grey);
  fillRectangle(canvas, left, top, 1, HEIGHT, grey);
  fillRectangle(canvas, left + width - 1, top, 1, HEIGHT, grey);
  const number = letter.codePointAt(0)!.toString(16).padStart(4, '0');
  const upper = number.length - Math.ceil(number.length / 2);
  for (const [row, part] of [number.slice(0, upper), number.slice(upper)].entries()) {
    const wide = part.length * (DIGIT_WIDTH + 1) - 1;
    const y = top + 3 + row * (DIGIT_HEIGHT + 2);
    const x = left + Math.floor((width - wide) / 2);
    Array.from(part, (digit, place) => {
      const glyph = digits[Number.parseInt(digit, 16)]!;
      drawGlyph(canvas, glyph, x + place * (DIGIT_WIDTH + 1), y, 1, grey);
    });
  }
}

function drawGlyph(
  canvas: Canvas,
  glyph: Glyph,
  left: number,
  top: number,
  scale: number,
  grey: number,
): void {
  for (const [y, row] of glyph.entries()) {
    for (const [x, isInk] of row.entries())
      if (isInk) fillRectangle(canvas, left + scale * x, top + scale * y, scale, scale, grey);
  }
}

function fillRectangle(
  { width: rowWidth, pixels }: Canvas,
  left: number,
  top: number,
  width: number,
  height: number,
  grey: number,
): void {
  for (let y = top; y < top + height; y++) {
    pixels.fill(grey, 3 * (y * rowWidth + left), 3 * (y * rowWidth + left + width));
  }
}
