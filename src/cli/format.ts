// Numbers and tables as people read them.
import { printable } from '../tensor/printable.ts';

const thousands = ['', 'thousand', 'million', 'billion'] as const;
const bytePrefixes = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'] as const;
const flopPrefixes = ['FLOP', 'kFLOP', 'MFLOP', 'GFLOP', 'TFLOP', 'PFLOP', 'EFLOP', 'ZFLOP'] as const;

/** In seconds. */
const year = 365.25 * 86_400;

/** `8,424,000` */
export function formatInteger(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `8.42 million` */
export function formatCount(value: number): string {
  return scaled(value, 1000, thousands);
}

/** `1.21 GiB` */
export function formatBytes(bytes: number): string {
  return scaled(bytes, 1024, bytePrefixes);
}

/** `12.4 GFLOP` */
export function formatFlops(operations: number): string {
  return scaled(operations, 1000, flopPrefixes);
}

/** `2.1e-3`, `0.312`, `14.2`, `12,465`: three digits where they say something. */
export function formatValue(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  const size = Math.abs(value);
  if (value !== 0 && (size < 0.01 || size >= 1e5)) return value.toExponential(1);
  return size >= 100 ? formatInteger(value) : value.toPrecision(3);
}

/** `0.3s`, `42s`, `4m 07s`, `2h 05m`, `3d 04h`, `12 years` */
export function formatDuration(seconds: number): string {
  if (seconds < 9.95) return `${Math.max(0, seconds).toFixed(1)}s`;
  const total = Math.round(seconds);
  const two = (value: number): string => String(Math.floor(value)).padStart(2, '0');
  if (total < 60) return `${total}s`;
  if (total < 3600) return `${Math.floor(total / 60)}m ${two(total % 60)}s`;
  if (total < 86_400) return `${Math.floor(total / 3600)}h ${two((total % 3600) / 60)}m`;
  if (total >= 2 * year) return `${formatInteger(total / year)} years`;
  return `${Math.floor(total / 86_400)}d ${two((total % 86_400) / 3600)}h`;
}

/** Lines of a table, columns aligned to the right but for the first. */
export function formatTable(rows: readonly (readonly string[])[]): string[] {
  const widths = rows.reduce<number[]>(
    (widest, row) => row.map((cell, i) => Math.max(widest[i] ?? 0, shownWidth(cell))),
    [],
  );
  return rows.map((row) =>
    row
      .map((cell, i) => padShown(cell, widths[i]!, i === 0 ? 'end' : 'start'))
      .join('   ')
      .trimEnd(),
  );
}

const graphemes = new Intl.Segmenter();
/** What terminals draw over two columns. */
const wide =
  /^(?![\uff61-\uffdc])[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\u3000-\u303e\uff01-\uff60\uffe0-\uffe6]|\ufe0f/u;

/** How many columns of a terminal a text takes when it is printed. */
export function shownWidth(text: string): number {
  const shown = printable(text);
  if (/^[ -~]*$/.test(shown)) return shown.length;
  return Array.from(graphemes.segment(shown)).reduce(
    (sum, { segment }) => sum + (wide.test(segment) ? 2 : 1),
    0,
  );
}

/** Text as it is printed, filled up with spaces to so many columns. @param at where they are added */
export function padShown(text: string, width: number, at: 'start' | 'end' = 'end'): string {
  const spaces = ' '.repeat(Math.max(0, width - shownWidth(text)));
  return at === 'end' ? printable(text) + spaces : spaces + printable(text);
}

function scaled(value: number, base: number, units: readonly string[]): string {
  let unit = 0;
  let rest = value;
  while (rest >= base && unit < units.length - 1) {
    rest /= base;
    unit++;
  }
  const digits = unit === 0 || rest >= 100 ? 0 : rest >= 10 ? 1 : 2;
  return `${rest.toFixed(digits)} ${units[unit]}`.trimEnd();
}
