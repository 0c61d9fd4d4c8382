import { expect, it } from 'vitest';
import { svgPlot, ticks } from '../../src/pictures/plot.ts';

it('ticks are round numbers within the range, fewer of them over a wide one', () => {
  expect(ticks([60, 4000])).toEqual([100, 200, 500, 1000, 2000]);
  expect(ticks([1, 1e4])).toEqual([1, 10, 100, 1000, 1e4]);
  expect(ticks([0.02, 0.3])).toEqual([0.02, 0.05, 0.1, 0.2]);
});

it('draws as many points as there are', () => {
  const points = Array.from({ length: 200_000 }, (_, i) => [i + 1, 1 + (i % 7)] as const);
  const svg = svgPlot({ title: '', subtitle: '', x: '', y: '', series: [{ label: '', points }] });
  expect(svg.endsWith('</svg>\n')).toBe(true);
});

it('equal factors are equally far apart, and larger numbers further right and up', () => {
  const points = [
    [1, 10],
    [10, 100],
    [100, 1000],
  ] as const;
  const series = [{ label: 'a < b', points }];
  const svg = svgPlot({ title: 'A & B', subtitle: 'machine', x: 'tokens', y: 'ms', series });
  expect(svg).toContain('<title>A &amp; B</title>');
  expect(svg).toContain('a &lt; b</text>');
  const dots = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [
    Number(x),
    Number(y),
  ]);
  const [[x0, y0], [x1, y1], [x2, y2]] = dots as [[number, number], [number, number], [number, number]];
  expect(x1).toBeGreaterThan(x0);
  expect(y1).toBeLessThan(y0);
  expect(x2 - x1).toBeCloseTo(x1 - x0, 0);
  expect(y2 - y1).toBeCloseTo(y1 - y0, 0);
});

it('shares stand on an axis from 0 to 1 that is not logarithmic', () => {
  const points = [0.05, 0.5, 0.95].map((x) => [x, 1 + x] as const);
  const svg = svgPlot({
    title: '',
    subtitle: '',
    x: 't',
    y: '',
    series: [{ label: '', points }],
    isShare: true,
  });
  const xs = [...svg.matchAll(/<circle cx="([\d.]+)"/g)].map(([, x]) => Number(x));
  expect(xs[1]! - xs[0]!).toBeCloseTo(xs[2]! - xs[1]!, 0);
  for (const tick of [0, 0.2, 0.4, 0.6, 0.8, 1]) expect(svg).toContain(`>${tick}</text>`);
});
