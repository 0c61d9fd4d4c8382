// A field's values over a range of steps, in as many buckets as can be drawn.
import type { FieldSeries } from '../contract.ts';
import { toNum } from '../records.ts';
import { Column, type Columns } from './columns.ts';

/** How many values that are not finite are told one by one. */
const toldGaps = 100;

export interface Range {
  /** Steps, both included. */
  readonly from: number;
  readonly to: number;
  /** At most so many buckets. */
  readonly points: number;
}

/** @param isWhole whether these are all records of the log, and not some of them */
export function bucketsOf(columns: Columns, field: string, range: Range, isWhole: boolean): FieldSeries {
  const column = columns.fields.get(field) ?? new Column();
  const [start, end] = [columns.rowAt(range.from), columns.rowAt(range.to + 1)];
  const rows = rowsWith(column, start, Math.min(end, columns.count));
  const size = Math.min(rows.length, range.points);
  const series = emptySeries(isWhole && rows.length <= range.points);
  for (let bucket = 0; bucket < size; bucket++) {
    const [first, after] = [bucket, bucket + 1].map((edge) => Math.floor((edge * rows.length) / size));
    const last = rows[after! - 1]!;
    let [least, most, sum, finite] = [Infinity, -Infinity, 0, 0];
    for (let at = first!; at < after!; at++) {
      const value = column.values[rows[at]!]!;
      if (!Number.isFinite(value)) {
        tellGap(series, columns.steps[rows[at]!]!, value);
        continue;
      }
      least = Math.min(least, value);
      most = Math.max(most, value);
      // Adding up the shares keeps the sum of the largest numbers finite.
      finite++;
      sum += (value - sum) / finite;
    }
    series.step.push(columns.steps[last]!);
    series.epoch.push(valueAt(columns, 'epoch', last));
    series.seconds.push(valueAt(columns, 'seconds', last));
    series.min.push(finite > 0 ? least : null);
    series.mean.push(finite > 0 ? sum : null);
    series.max.push(finite > 0 ? most : null);
    series.last.push(toNum(column.values[last]!));
    series.count.push(after! - first!);
  }
  return series;
}

type Growing<T> = { -readonly [Key in keyof T]: T[Key] extends readonly (infer Item)[] ? Item[] : T[Key] };
type GrowingSeries = Growing<Omit<FieldSeries, 'gaps'>> & { gaps: Growing<FieldSeries['gaps']> };

function emptySeries(isRaw: boolean): GrowingSeries {
  const columns = { step: [], epoch: [], seconds: [], min: [], mean: [], max: [], last: [], count: [] };
  return { isRaw, ...columns, gaps: { count: 0, first: [] } };
}

function rowsWith({ has }: Column, start: number, end: number): Uint32Array {
  let count = 0;
  for (let row = start; row < end; row++) count += has[row] ?? 0;
  const rows = new Uint32Array(count);
  for (let row = start, at = 0; row < end; row++) if (has[row] === 1) rows[at++] = row;
  return rows;
}

function tellGap({ gaps }: GrowingSeries, step: number, value: number): void {
  gaps.count++;
  if (gaps.first.length < toldGaps) gaps.first.push({ step, value: toNum(value) });
}

function valueAt({ fields }: Columns, name: string, row: number): number | null {
  const { values, has } = fields.get(name)!;
  const value = values[row]!;
  return has[row] === 1 && Number.isFinite(value) ? value : null;
}
