// How a chart of lines looks, and what uPlot tells of it.
import UPlot from 'uplot';
import type { Drawing } from './chart-data.ts';
import { formatNumber } from './format.ts';
import { type PlacedMark, drawMarks } from './marks.ts';
import { LEAST_DRAG, type Range } from './range.ts';
import { colour } from './theme.svelte.ts';

/** What may change while a chart is shown is asked for when it is needed. */
export interface ChartParts {
  readonly drawing: Drawing;
  readonly width: number;
  readonly height: number;
  readonly isLog: boolean;
  /** Charts of one key show the same place under the cursor. */
  readonly syncKey: string;
  range(): Range | null;
  marks(): readonly PlacedMark[];
  formatX(value: number): string;
  formatTick(value: number): string;
  onCursor(index: number | null, happened: string | null): void;
  onSelect(range: Range): void;
}

/** Pixels. */
const LEAST_WIDTH = 120;
const MARK_REACH = 5;

export function sizeOf(width: number, height: number): { width: number; height: number } {
  return { width: Math.max(LEAST_WIDTH, width), height };
}

export function chartOptions(parts: ChartParts): UPlot.Options {
  const { drawing, isLog } = parts;
  const [ink, grid] = [colour('--muted'), colour('--line')];
  const axis: UPlot.Axis = {
    stroke: ink,
    grid: { stroke: grid, width: 1 },
    ticks: { stroke: grid, width: 1, size: 4 },
    font: '11px system-ui, sans-serif',
  };
  const format = (tell: (value: number) => string) => (_: UPlot, splits: number[]) =>
    splits.map((value: number | null) => (value === null ? '' : tell(value)));
  return {
    ...sizeOf(parts.width, parts.height),
    legend: { show: false },
    padding: [8, 16, 0, 0],
    cursor: {
      sync: { key: parts.syncKey },
      drag: { x: true, y: false, setScale: false },
      points: { size: 6 },
    },
    scales: {
      x: { time: false, range: (_, min, max) => [...(parts.range() ?? [min, max])] as [number, number] },
      y: isLog ? { distr: 3 } : { range: (_, min, max) => heightOf(min, max) },
    },
    axes: [
      { ...axis, size: 26, gap: 3, space: 60, values: format(parts.formatX) },
      { ...axis, size: 58, gap: 4, space: 28, values: format(parts.formatTick) },
    ],
    series: drawing.series,
    bands: drawing.bands,
    hooks: {
      draw: [(chart) => drawMarks(chart, parts.marks())],
      setCursor: [(chart) => parts.onCursor(chart.cursor.idx ?? null, happenedAt(chart, parts.marks()))],
      setSelect: [(chart) => select(chart, parts.onSelect)],
    },
  };
}

/** With room around; a line that is flat lies in the middle, or at the bottom where it is zero. */
function heightOf(min: number, max: number): [number, number] {
  if (!(max > min)) return max === 0 ? [0, 1] : [min - Math.abs(min) / 10, max + Math.abs(max) / 10];
  const [low, high] = UPlot.rangeNum(min, max, 0.08, true);
  return [low ?? min, high ?? max];
}

/** The marks under the cursor, in words. */
function happenedAt(chart: UPlot, marks: readonly PlacedMark[]): string | null {
  const { left = -1 } = chart.cursor;
  if (left < 0) return null;
  const isNear = (x: number): boolean => Math.abs(chart.valToPos(x, 'x') - left) <= MARK_REACH;
  const near = marks.filter(({ x, kind }) => kind !== 'checkpoint' && isNear(x));
  return near.length === 0
    ? null
    : near.map(({ step, text }) => `step ${formatNumber(step)}: ${text}`).join('\n');
}

function select(chart: UPlot, onSelect: (range: Range) => void): void {
  const { left, width } = chart.select;
  if (width < LEAST_DRAG) return;
  const range = [chart.posToVal(left, 'x'), chart.posToVal(left + width, 'x')] as const;
  chart.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  onSelect(range);
}

/** The value of a column at a place, or that before it where other lines have points in between; by default the last. */
export function valueAt(data: UPlot.AlignedData, column: number, place: number | null): number | null {
  const found = data[column];
  if (found === undefined) return null;
  for (let i = Math.min(place ?? found.length - 1, found.length - 1); i >= 0; i--) {
    if (found[i] !== undefined) return found[i] ?? null;
  }
  return null;
}
