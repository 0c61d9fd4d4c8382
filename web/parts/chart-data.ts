// What uPlot draws of lines: common places on x, and for each line its range, its raw values and its smooth ones.
import { type AlignedData, type Series, default as UPlot } from 'uplot';
import { type Line, smooth } from './columns.ts';
import { faint } from './theme.svelte.ts';

export interface Drawing {
  readonly data: AlignedData;
  readonly series: Series[];
  readonly bands: { series: [number, number]; fill: string }[];
  /** The place in `data` of what is read at the cursor, for each line. */
  readonly main: readonly number[];
}

export interface DrawOptions {
  readonly smoothing: number;
  /** Whether only numbers above zero can be shown. */
  readonly isLog: boolean;
  readonly hidden: ReadonlySet<string>;
  readonly colourOf: (name: string) => string;
}

/** A gap where a logarithm has no place for it. */
function placed(values: readonly (number | null)[], isLog: boolean): (number | null)[] {
  return isLog ? values.map((value) => (value !== null && value > 0 ? value : null)) : [...values];
}

export function drawingOf(lines: readonly Line[], options: DrawOptions): Drawing {
  const series: Series[] = [{}];
  const bands: Drawing['bands'] = [];
  const tables: AlignedData[] = [];
  const main: number[] = [];
  let column = 1;
  for (const line of lines) {
    const color = options.colourOf(line.colour);
    const show = !options.hidden.has(line.label);
    const columns: (number | null)[][] = [];
    const add = (values: (number | null)[], drawn: Series): number => {
      series.push({ show, points: { show: false }, ...drawn });
      columns.push(values);
      return column++;
    };
    if (line.low !== undefined && line.high !== undefined) {
      const hairline: Series = { stroke: 'transparent', width: 0 };
      const high = add(placed(line.high, options.isLog), hairline);
      const low = add(placed(line.low, options.isLog), hairline);
      bands.push({ series: [high, low], fill: faint(color, 0.16) });
    }
    const raw = placed(line.y, options.isLog);
    const isSparse = line.x.length <= 40;
    if (options.smoothing > 0 && !isSparse) {
      add(raw, { stroke: faint(color, 0.32), width: 1 });
      main.push(add(smooth(raw, options.smoothing), { stroke: color, width: 1.75 }));
    } else {
      main.push(add(raw, { stroke: color, width: 1.5, points: { show: isSparse, size: 5, fill: color } }));
    }
    tables.push([[...line.x], ...columns] as AlignedData);
  }
  // Where one line has a point and another has none, the other goes on; where a value is missing, it is broken.
  const data: AlignedData = tables.length === 0 ? [[]] : UPlot.join(tables);
  return { data, series, bands, main };
}
