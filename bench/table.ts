// Numbers and tables as Markdown shows them, aligned so that a terminal shows them too.
import type { Spread } from './statistics.ts';

/** Three digits: `1234`, `123`, `12.3`, `1.23`, `0.0123`. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return 'n/a';
  const size = Math.abs(value);
  return size >= 100 || value === 0 ? value.toFixed(0) : Number(value.toPrecision(3)).toString();
}

export function percent(fraction: number): string {
  return `${(100 * fraction).toFixed(fraction < 0.0995 ? 1 : 0)}%`;
}

/** `1.42 (1.40–1.45)` */
export function ratio({ median, min, max }: Spread): string {
  return `${median.toFixed(2)} (${min.toFixed(2)}–${max.toFixed(2)})`;
}

/** Lines of a Markdown table: columns of text, one by default, aligned to the left, numbers to the right. */
export function markdownTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  textColumns = 1,
): string[] {
  const widths = header.map((title, i) => Math.max(3, title.length, ...rows.map((row) => row[i]!.length)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => (i < textColumns ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join(' | ')} |`;
  const rule = widths.map((width, i) => (i < textColumns ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  return [line(header), line(rule), ...rows.map(line)];
}
