// Columns of numbers over time, as they are drawn.
import type { FieldSeries, Json, LogRecord } from '../../src/page/contract.ts';

export type XAxis = 'step' | 'epoch' | 'seconds';

/** A line of a chart; the columns are of one length, in the order of x. */
export interface Line {
  readonly label: string;
  /** A colour of the style sheet, such as `--series-1`. */
  readonly colour: string;
  readonly x: readonly number[];
  /** Null where nothing finite was logged: a gap. */
  readonly y: readonly (number | null)[];
  /** The least and the largest of what a point stands for, where it stands for several values. */
  readonly low: readonly (number | null)[] | undefined;
  readonly high: readonly (number | null)[] | undefined;
  readonly steps: readonly number[];
}

/**
 * A field of a record: `gradNormByBlock.blocks.0` is the entry `blocks.0` of an object, `lossByTime.2` the third of a list.
 * Undefined where the record lacks it.
 */
export function fieldOf(record: LogRecord, name: string): Json | undefined {
  if (name in record) return record[name];
  const dot = name.indexOf('.');
  if (dot < 0) return undefined;
  const outer = record[name.slice(0, dot)];
  const key = name.slice(dot + 1);
  if (typeof outer !== 'object' || outer === null) return undefined;
  return (outer as { readonly [name: string]: Json })[key];
}

/** A series with finer numbers in place of its own from one step to another, both included. */
export function splice(base: FieldSeries, finer: FieldSeries, from: number, to: number): FieldSeries {
  const start = base.step.findIndex((step) => step >= from);
  const head = start < 0 ? base.step.length : start;
  const end = base.step.findIndex((step) => step > to);
  const tail = end < 0 ? base.step.length : end;
  const joined = <T>(own: readonly T[], other: readonly T[]): readonly T[] => [
    ...own.slice(0, head),
    ...other,
    ...own.slice(tail),
  ];
  return {
    ...base,
    isRaw: base.isRaw && finer.isRaw,
    step: joined(base.step, finer.step),
    epoch: joined(base.epoch, finer.epoch),
    seconds: joined(base.seconds, finer.seconds),
    min: joined(base.min, finer.min),
    mean: joined(base.mean, finer.mean),
    max: joined(base.max, finer.max),
    last: joined(base.last, finer.last),
    count: joined(base.count, finer.count),
  };
}

/**
 * Joins what the server has sent of a field with records that came later.
 * @param later in order; those of steps that the series has are left out
 */
export function lineOf(
  series: FieldSeries | undefined,
  later: readonly LogRecord[],
  field: string,
  axis: XAxis,
): Omit<Line, 'label' | 'colour'> {
  const x: number[] = [];
  const y: (number | null)[] = [];
  const steps: number[] = [];
  const low: (number | null)[] = [];
  const high: (number | null)[] = [];
  const push = (at: number | null | undefined, step: number, mean: number | null, min = mean, max = mean) => {
    // Time that goes back, as behind a crash, cannot be drawn from left to right.
    if (typeof at !== 'number' || (x.length > 0 && at < x.at(-1)!)) return;
    x.push(at);
    steps.push(step);
    y.push(mean);
    low.push(min);
    high.push(max);
  };
  const length = series?.step.length ?? 0;
  for (let i = 0; i < length; i++) {
    const step = series!.step[i]!;
    const at = axis === 'step' ? step : series![axis][i];
    push(at, step, series!.mean[i]!, series!.min[i]!, series!.max[i]!);
  }
  const last = series?.step.at(-1) ?? -1;
  for (const record of later) {
    const value = record.step > last ? fieldOf(record, field) : undefined;
    if (value === undefined || value === null) continue;
    push(record[axis] as number | undefined, record.step, typeof value === 'number' ? value : null);
  }
  const isRaw = series?.isRaw ?? true;
  return { x, y, steps, low: isRaw ? undefined : low, high: isRaw ? undefined : high };
}

/**
 * The exponential average of a line, of which each point has the weight 1 - `weight`, corrected for its beginning. Gaps stay gaps.
 * @param weight of what came before, from 0 (the line itself) to below 1
 */
export function smooth(values: readonly (number | null | undefined)[], weight: number): (number | null)[] {
  let [sum, total] = [0, 0];
  return values.map((value) => {
    if (value === null || value === undefined) return null;
    sum = weight * sum + (1 - weight) * value;
    total = weight * total + (1 - weight);
    return sum / total;
  });
}

/** The place in ascending numbers of the one nearest to `value`; -1 where there is none. */
export function nearest(ascending: readonly number[], value: number): number {
  let [low, high] = [0, ascending.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! < value) low = middle + 1;
    else high = middle;
  }
  const before = low - 1;
  const isBefore = before >= 0 && value - ascending[before]! <= Math.abs(ascending[low]! - value);
  return isBefore ? before : Math.min(low, ascending.length - 1);
}

/** The steps of the points that a piece of x lies between: the last before it and the first behind it, or the ends of the line. */
export function stepsBetween(
  { x, steps }: Pick<Line, 'x' | 'steps'>,
  [from, to]: readonly [number, number],
): readonly [number, number] | undefined {
  if (x.length === 0) return undefined;
  const first = x.findLastIndex((at) => at <= from);
  const last = x.findIndex((at) => at >= to);
  return [steps[Math.max(0, first)]!, (last < 0 ? steps.at(-1) : steps[last])!];
}

/** The place on another axis of a step, between the points of a line; undefined outside of it. */
export function xOfStep(line: Pick<Line, 'x' | 'steps'>, step: number): number | undefined {
  const { x, steps } = line;
  if (steps.length === 0 || step < steps[0]! || step > steps.at(-1)!) {
    return step === 0 && steps.length > 0 ? x[0] : undefined;
  }
  return x[nearest(steps, step)];
}
