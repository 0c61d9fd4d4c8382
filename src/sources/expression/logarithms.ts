// Values that are no whole numbers and small are taken for logarithms: whether undoing them gives what normalised counts are.
import type { ExpressionData } from '../settings.ts';
import type { Cells, Scan } from './normalize.ts';
import { chooseNormalization } from './normalize.ts';

/** Cells that are looked at, evenly from all. */
const SAMPLE = 200;
/** How far the totals of normalised cells lie apart at most, as a share of their mean. */
const SPREAD = 0.02;
/** Of the least value of a cell, which is a single count: multiples that are looked at, and how far they may be from whole ones. */
const MULTIPLES = { most: 20, off: 0.02, share: 0.8 } as const;

/**
 * A sentence where values are taken as logarithms only because they look like some: undone, those of a cell add up to one total, or
 * are multiples of what one count has become. Counts that are fractional (SoupX, kallisto) are neither.
 * @param kept 1 for each cell to look at
 */
export async function doubtfulLogarithms(
  cells: Cells,
  scan: Scan,
  { normalize, path }: ExpressionData,
  kept: Uint8Array,
  logBase: number,
): Promise<string[]> {
  const isAssumed = normalize === 'auto' && chooseNormalization(scan, normalize) === 'none' && !scan.counts;
  if (!isAssumed || scan.negative) return [];
  const scale = Math.log(logBase);
  const totals: number[] = [];
  let [whole, multiples] = [0, 0];
  for (const cell of someOf(kept)) {
    const values: number[] = [];
    cells.forEach(cell, (_, value) => {
      if (value > 0) values.push(Math.expm1(value * scale));
    });
    if (values.length === 0) continue;
    totals.push(values.reduce((sum, value) => sum + value, 0));
    const least = values.reduce((low, value) => Math.min(low, value), Infinity);
    for (const value of values) {
      const times = value / least;
      if (times <= 1 + MULTIPLES.off || times > MULTIPLES.most) continue;
      multiples++;
      if (Math.abs(times - Math.round(times)) <= MULTIPLES.off) whole++;
    }
  }
  if (spread(totals) <= SPREAD || whole > MULTIPLES.share * multiples) return [];
  return [
    `${path}: values are taken as they are, as logarithms of counts, because they are small and no whole numbers. But undone they give ` +
      'neither the same total for each cell nor multiples of a count. If they are counts, set data.normalize to log1p; if they are as ' +
      'the model should see them, to none.',
  ];
}

function someOf(kept: Uint8Array): number[] {
  const rows = Array.from(kept.keys()).filter((row) => kept[row] === 1);
  const count = Math.min(SAMPLE, rows.length);
  return Array.from({ length: count }, (_, i) => rows[Math.floor((i * rows.length) / count)]!);
}

function spread(totals: readonly number[]): number {
  const mean = totals.reduce((sum, total) => sum + total, 0) / totals.length;
  return totals.reduce((most, total) => Math.max(most, Math.abs(total - mean)), 0) / mean;
}
