// What people are told of how straight paths are.
import type { MeasuredStraightness } from '../api/straightness.ts';
import { formatTable, formatValue } from './format.ts';
import { shortPath } from './paths.ts';

/** Parts of the time that are told. */
const parts = 10;

/** A line for each part of the time, from noise to data, and one for all of it; a column for each run. */
export function straightnessLines(measured: readonly MeasuredStraightness[]): string[] {
  const titles = measured.map(({ run, guidance }) =>
    guidance === 1 ? shortPath(run) : `${shortPath(run)}, guidance ${guidance}`,
  );
  const rows = Array.from({ length: parts }, (_, i) => {
    const [high, low] = [1 - i / parts, 1 - (i + 1) / parts];
    return [
      `t ${high.toFixed(1)} to ${low.toFixed(1)}`,
      ...measured.map((each) => formatValue(meanBetween(each, low, high))),
    ];
  });
  return [
    'How far paths are from straight lines: E |(Z1 - Z0) - dZt/dt|² over E |Z1 - Z0|², 0 is straight.',
    ...formatTable([
      ['', ...titles],
      ...rows,
      ['whole path', ...measured.map(({ relative }) => formatValue(relative))],
      ['per number', ...measured.map(({ deviation }) => formatValue(deviation))],
    ]),
  ];
}

function meanBetween({ byTime }: MeasuredStraightness, low: number, high: number): number {
  const within = byTime.filter(({ t }) => low <= t && t < high);
  return within.reduce((sum, { relative }) => sum + relative, 0) / within.length;
}
