// Cells in a plane, as an SVG file: panels side by side on the same axes, a colour for each class.
import { escape, px } from './plot.ts';
import type { Point } from '../data/expression/principal-components.ts';

export interface Panel {
  readonly title: string;
  readonly points: readonly Point[];
  /** The class of each point. */
  readonly labels: ArrayLike<number>;
}

export interface Scatter {
  readonly title: string;
  /** Of the axes. */
  readonly x: string;
  readonly y: string;
  readonly panels: readonly Panel[];
  readonly classNames: readonly string[];
}

const side = 340;
const gap = 24;
const top = 64;
const left = 40;
const bottom = 40;
const legendWidth = 230;

const style = `text { font: 13px system-ui, sans-serif; fill: #768390 } .title { font-size: 15px; font-weight: 600 }
  .frame { fill: none; stroke: #8b949e; stroke-opacity: .4 } circle { fill-opacity: .7 }
  @media (prefers-color-scheme: dark) { text { fill: #9da7b1 } }`;

/** Hues all around the circle, neighbours of different lightness. */
function colour(label: number, classes: number): string {
  return `hsl(${Math.round((360 * label) / classes)} 65% ${label % 2 === 0 ? 58 : 42}%)`;
}

export function svgScatter({ title, x, y, panels, classNames }: Scatter): string {
  const points = panels.flatMap((panel) => panel.points);
  const toX = scale(points.map((point) => point[0]));
  const toY = scale(points.map((point) => point[1]));
  const width = left + panels.length * (side + gap) + legendWidth;
  const height = Math.max(top + side + bottom, top + 22 * classNames.length);
  const drawn = panels.map((panel, i) => {
    const at = left + i * (side + gap);
    const dots = panel.points.map(([px0, py0], n) => {
      const [cx, cy] = [at + toX(px0) * side, top + (1 - toY(py0)) * side];
      return `<circle cx="${px(cx)}" cy="${px(cy)}" r="2.5" fill="${colour(panel.labels[n] ?? 0, classNames.length)}"/>`;
    });
    return [
      `<text x="${at}" y="${top - 12}">${escape(panel.title)}</text>`,
      `<rect class="frame" x="${at}" y="${top}" width="${side}" height="${side}"/>`,
      ...dots,
      `<text x="${at + side / 2}" y="${top + side + 22}" text-anchor="middle">${escape(x)}</text>`,
    ].join('\n');
  });
  const legend = classNames.map((name, label) => {
    const [at, line] = [left + panels.length * (side + gap), top + 10 + 22 * label];
    return (
      `<circle cx="${at + 6}" cy="${line}" r="5" fill="${colour(label, classNames.length)}"/>` +
      `<text x="${at + 18}" y="${line + 4}">${escape(name)}</text>`
    );
  });
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escape(title)}</title>`,
    `<style>${style}</style>`,
    `<text class="title" x="${left}" y="26">${escape(title)}</text>`,
    `<text transform="translate(24 ${top + side / 2}) rotate(-90)" text-anchor="middle">${escape(y)}</text>`,
    ...drawn,
    ...legend,
    '</svg>',
  ];
  return `${lines.join('\n')}\n`;
}

/** Maps the range of the values, with a margin, to [0, 1]. */
function scale(values: readonly number[]): (value: number) => number {
  const low = values.reduce((least, value) => Math.min(least, value), Infinity);
  const high = values.reduce((most, value) => Math.max(most, value), -Infinity);
  const margin = 0.04 * (high - low || 1);
  return (value) => (value - low + margin) / (high - low + 2 * margin || 1);
}
