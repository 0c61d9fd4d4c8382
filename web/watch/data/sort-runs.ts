import type { RunSummary } from '../../../src/page/contract.ts';

export type Column =
  | 'name'
  | 'state'
  | 'step'
  | 'loss'
  | 'samplesPerSecond'
  | 'secondsLeft'
  | 'data'
  | 'created';

const STATES = ['training', 'paused', 'failed', 'damaged', 'stopped', 'finished'];

/** A copy in order; what is not known comes last either way. */
export function sortRuns(runs: readonly RunSummary[], column: Column, isDown: boolean): RunSummary[] {
  const sign = isDown ? -1 : 1;
  const known = (value: unknown): boolean => value !== null && !Number.isNaN(value);
  return runs.toSorted((a, b) => {
    const [first, second] = [keyOf(a, column), keyOf(b, column)];
    if (!known(first) || !known(second)) return Number(known(second)) - Number(known(first));
    if (typeof first === 'number' && typeof second === 'number') return sign * (first - second);
    return sign * String(first).localeCompare(String(second), undefined, { numeric: true });
  });
}

/** The newer list, with the objects of the older one where they say the same: rows of those are not drawn again. */
export function keepSame(older: readonly RunSummary[], newer: readonly RunSummary[]): RunSummary[] {
  const known = new Map(older.map((run) => [run.name, run]));
  return newer.map((run) => {
    const before = known.get(run.name);
    return before !== undefined && JSON.stringify(before) === JSON.stringify(run) ? before : run;
  });
}

function keyOf(run: RunSummary, column: Column): string | number | null {
  const value = run[column];
  if (column === 'state') return STATES.indexOf(run.state);
  // NaN and infinities go by their names.
  if (column === 'loss') return typeof value === 'number' ? value : null;
  return value;
}
