// Plots as SVG files: logarithmic axes, lines with dots, and colours that can be read on white and on dark pages.
import { greatest, least } from '../tensor/extremes.ts';
import { printable } from '../tensor/printable.ts';

export interface Series {
  readonly label: string;
  readonly points: readonly (readonly [x: number, y: number])[];
  /** A guide: dashed and without dots. */
  readonly dashed?: boolean;
}

export interface Plot {
  readonly title: string;
  readonly subtitle: string;
  readonly x: string;
  readonly y: string;
  readonly series: readonly Series[];
  /** Where the lines leave room for what they are called; left by default. */
  readonly legend?: 'left' | 'right';
  /** Whether x is from 0 to 1, on an axis that is not logarithmic. */
  readonly isShare?: boolean;
}

const width = 640;
const height = 420;
const frame = { left: 72, right: 24, top: 60, bottom: 56 };
const legendWidth = 170;
/** Dots that stand apart on a line. */
const mostDots = 40;
const colours = ['#3b82f6', '#ea7317', '#16a374', '#a855f7'];

const style = `text { font: 13px system-ui, sans-serif; fill: #768390 } .title { font-size: 15px; font-weight: 600 }
  .grid { stroke: #8b949e; stroke-opacity: .25 } .line { fill: none; stroke-width: 2 }
  @media (prefers-color-scheme: dark) { text { fill: #9da7b1 } }`;

/** Maps numbers to pixels so that equal factors are equally far apart. */
function logScale(values: readonly number[], from: number, to: number): (value: number) => number {
  const low = Math.log(least(values));
  const span = Math.log(greatest(values)) - low || 1;
  const margin = 0.04 * span;
  return (value) => from + ((Math.log(value) - low + margin) / (span + 2 * margin)) * (to - from);
}

/** Maps 0 to 1 to pixels. */
function shareScale(from: number, to: number): (value: number) => number {
  return (value) => from + value * (to - from);
}

const shareTicks = [0, 0.2, 0.4, 0.6, 0.8, 1];

/** 1, 2 and 5 times powers of ten within the values' range; powers alone where those would be too many. */
export function ticks(values: readonly number[]): number[] {
  const low = least(values);
  const high = greatest(values);
  const factors = high / low > 2000 ? [1] : [1, 2, 5];
  const powers = Array.from({ length: 31 }, (_, i) => i - 15);
  return powers
    .flatMap((power) => factors.map((factor) => Number(`${factor}e${power}`)))
    .filter((tick) => tick >= low * 0.95 && tick <= high * 1.05);
}

/** Text within SVG, which may hold no control characters. */
export const escape = (text: string): string =>
  printable(text).replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
export const px = (value: number): string => value.toFixed(1);

/** Lines on two logarithmic axes, or one beside shares: all numbers on such an axis are above 0. */
export function svgPlot({ title, subtitle, x, y, series, legend = 'left', isShare = false }: Plot): string {
  const points = series.flatMap((line) => line.points);
  const xs = points.map(([value]) => value);
  const ys = points.map(([, value]) => value);
  const [right, bottom] = [width - frame.right, height - frame.bottom];
  const toX = isShare ? shareScale(frame.left, right) : logScale(xs, frame.left, right);
  const toY = logScale(ys, bottom, frame.top);
  const vertical = (isShare ? shareTicks : ticks(xs)).map(
    (tick) =>
      `<path class="grid" d="M${px(toX(tick))} ${frame.top}V${bottom}"/>` +
      `<text x="${px(toX(tick))}" y="${bottom + 20}" text-anchor="middle">${tick}</text>`,
  );
  const horizontal = ticks(ys).map(
    (tick) =>
      `<path class="grid" d="M${frame.left} ${px(toY(tick))}H${right}"/>` +
      `<text x="${frame.left - 8}" y="${px(toY(tick) + 4)}" text-anchor="end">${tick}</text>`,
  );
  const legendAt = legend === 'left' ? frame.left + 16 : right - legendWidth;
  const middle = (frame.left + right) / 2;
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escape(title)}</title>`,
    `<style>${style}</style>`,
    `<text class="title" x="${frame.left}" y="24">${escape(title)}</text>`,
    `<text x="${frame.left}" y="44">${escape(subtitle)}</text>`,
    ...vertical,
    ...horizontal,
    `<text x="${middle}" y="${height - 14}" text-anchor="middle">${escape(x)}</text>`,
    `<text transform="translate(18 ${(frame.top + bottom) / 2}) rotate(-90)" text-anchor="middle">${escape(y)}</text>`,
    ...series.map((line, i) => drawSeries(line, colours[i % colours.length]!, toX, toY)),
    ...series.map((line, i) =>
      drawLegend(line, colours[i % colours.length]!, legendAt, frame.top + 20 + 20 * i),
    ),
    '</svg>',
  ];
  return `${lines.join('\n')}\n`;
}

function drawSeries(
  { points, dashed }: Series,
  colour: string,
  toX: (value: number) => number,
  toY: (value: number) => number,
): string {
  const places = points.map(([x, y]) => [px(toX(x)), px(toY(y))] as const);
  const path = places.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${x} ${y}`).join('');
  const line = `<path class="line" stroke="${colour}"${dashed ? ' stroke-dasharray="6 5"' : ''} d="${path}"/>`;
  const dots = places.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="3.5" fill="${colour}"/>`);
  return [line, ...(dashed || dots.length > mostDots ? [] : dots)].join('\n');
}

function drawLegend({ label, dashed }: Series, colour: string, x: number, y: number): string {
  return (
    `<path class="line" stroke="${colour}"${dashed ? ' stroke-dasharray="6 5"' : ''} d="M${x} ${y}h28"/>` +
    `<text x="${x + 36}" y="${y + 4}">${escape(label)}</text>`
  );
}
