// The pieces of pages: numbers, lines, colours and films.
import { describe, expect, it } from 'vitest';
import type { FieldSeries, LogRecord } from '../../src/page/contract.ts';
import { fieldOf, lineOf, nearest, smooth, splice, stepsBetween, xOfStep } from '../../web/parts/columns.ts';
import {
  formatAgo,
  formatBy,
  formatBytes,
  formatDuration,
  formatNumber,
  visible,
} from '../../web/parts/format.ts';
import { decodeAhead } from '../../web/parts/frames.ts';
import { heatColour, shareOf } from '../../web/parts/heat-colours.ts';

describe('numbers', () => {
  it.each([
    [0, '0'],
    [1234567, '1,234,567'],
    [0.123456, '0.1235'],
    [0.0005, '5e-4'],
    [0.0000614, '6.14e-5'],
    [0.001, '0.001'],
    [123456789.5, '1.23e8'],
    ['NaN', 'NaN'],
    [null, '–'],
  ])('%s is %s', (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });

  it('have units', () => {
    expect(formatBy('share', 0.5)).toBe('50 %');
    expect(formatBy('bytes', 999_600)).toBe('1.0 MB');
    expect(formatBytes(12)).toBe('12 B');
    expect([0.5, 12, 754, 7384, 200_000].map(formatDuration)).toEqual([
      '500 ms',
      '12.0 s',
      '12 min 34 s',
      '2 h 3 min',
      '2 d 7 h',
    ]);
    expect(formatBy('samples/s', 'Infinity')).toBe('Infinity');
    expect(formatAgo('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:10:00Z'))).toBe('10 min ago');
    expect(formatAgo('yesterday', 0)).toBe('–');
  });
});

it('characters that are not seen are told by their numbers; all others stay', () => {
  expect(visible('a\u202Eb\u0000c\uFEFF')).toBe('a<U+202E>b<U+0000>c<U+FEFF>');
  expect(visible('two\nlines, Ω, 👩‍🚀, é')).toBe('two\nlines, Ω, 👩‍🚀, é');
});

const series = (steps: readonly number[], mean: readonly (number | null)[], isRaw = true): FieldSeries => ({
  isRaw,
  step: steps,
  epoch: steps.map((step) => step / 10),
  seconds: steps.map((step) => (step === 0 ? null : step * 2)),
  min: mean.map((each) => (each === null ? null : each - 1)),
  mean,
  max: mean.map((each) => (each === null ? null : each + 1)),
  last: mean,
  count: steps.map(() => 1),
  gaps: { count: 0, first: [] },
});

describe('lines', () => {
  const later: LogRecord[] = [
    { step: 2, loss: 99, epoch: 0.2, seconds: 4 },
    { step: 3, loss: 5, epoch: 0.3, seconds: 6 },
    { step: 4, loss: 'NaN', epoch: 0.4, seconds: 8 },
    { step: 5, epoch: 0.5, seconds: 10 },
  ];

  it('go on with records that came later; what is not finite is a gap', () => {
    const line = lineOf(series([1, 2], [7, 6]), later, 'loss', 'step');
    expect([line.x, line.y]).toEqual([
      [1, 2, 3, 4],
      [7, 6, 5, null],
    ]);
    expect(line.low).toBeUndefined();
  });

  it('have ranges where points stand for several values', () => {
    const line = lineOf(series([1, 2], [7, 6], false), [], 'loss', 'epoch');
    expect(line).toMatchObject({ x: [0.1, 0.2], low: [6, 5], high: [8, 7] });
  });

  it('are finer where they are zoomed into', () => {
    const joined = splice(
      series([10, 20, 30, 40], [1, 2, 3, 4], false),
      series([18, 20, 25, 30], [7, 8, 9, 10]),
      15,
      30,
    );
    expect([joined.step, joined.mean, joined.isRaw]).toEqual([
      [10, 18, 20, 25, 30, 40],
      [1, 7, 8, 9, 10, 4],
      false,
    ]);
    expect(splice(series([1, 2], [1, 2]), series([1, 2], [5, 6]), 0, 9).mean).toEqual([5, 6]);
    expect(splice(series([1, 2], [1, 2]), series([], []), 5, 9).step).toEqual([1, 2]);
  });

  it('tell the steps around a piece of x', () => {
    const line = { x: [0.1, 0.2, 0.3, 0.4], steps: [10, 20, 30, 40] };
    expect(stepsBetween(line, [0.25, 0.3])).toEqual([20, 30]);
    expect(stepsBetween(line, [0, 9])).toEqual([10, 40]);
    expect(stepsBetween({ x: [], steps: [] }, [0, 9])).toBeUndefined();
  });

  it('leave out what has no place on x, or goes back', () => {
    expect(lineOf(series([0, 1, 2], [1, 2, 3]), [], 'loss', 'seconds').x).toEqual([2, 4]);
    expect(
      lineOf(
        undefined,
        [
          { step: 1, loss: 1, seconds: 9 },
          { step: 2, loss: 1, seconds: 3 },
        ],
        'loss',
        'seconds',
      ).x,
    ).toEqual([9]);
  });

  it('are of fields by name and by place', () => {
    const record: LogRecord = {
      step: 1,
      lossByTime: [1, 2, 3],
      gradNormByBlock: { 'blocks.0': 4 },
      'a.b': 5,
    };
    expect(
      ['lossByTime.2', 'gradNormByBlock.blocks.0', 'a.b', 'none.x', 'step.x'].map((name) =>
        fieldOf(record, name),
      ),
    ).toEqual([3, 4, 5, undefined, undefined]);
  });

  it('are smooth without a bias at their beginning, and keep gaps', () => {
    expect(smooth([3, 3, null, 3], 0.9)).toEqual([
      expect.closeTo(3),
      expect.closeTo(3),
      null,
      expect.closeTo(3),
    ]);
    expect(smooth([0, 1], 0.5)[1]).toBeCloseTo(2 / 3);
    expect(smooth([1, 5], 0)).toEqual([1, 5]);
  });

  it('find the nearest place', () => {
    expect([-1, 0.4, 0.6, 9].map((value) => nearest([0, 1, 2], value))).toEqual([0, 0, 1, 2]);
    expect(nearest([], 1)).toBe(-1);
    expect(xOfStep({ x: [0.1, 0.2], steps: [10, 20] }, 19)).toBe(0.2);
    expect(xOfStep({ x: [0.1, 0.2], steps: [10, 20] }, 21)).toBeUndefined();
  });
});

it('colours go from dark to light', () => {
  expect([heatColour(0), heatColour(1), heatColour(7)]).toEqual([
    [68, 1, 84],
    [253, 231, 37],
    [253, 231, 37],
  ]);
  expect(shareOf(10, 1, 100, true)).toBeCloseTo(0.5);
  expect(shareOf(5, 5, 5, false)).toBe(0.5);
});

describe('frames', () => {
  const film = (count: number, memory: number) => {
    const loaded: number[] = [];
    const closed: number[] = [];
    const load = async (index: number) => {
      loaded.push(index);
      return { width: 10, height: 10, close: () => void closed.push(index) };
    };
    const frames = decodeAhead(count, load, () => {}, memory);
    return { frames, loaded, closed };
  };
  const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

  it('are decoded ahead, those in front first', async () => {
    const { frames, loaded } = film(100, 8 * 400);
    frames.want(10);
    await settled();
    expect(loaded.slice(0, 4)).toEqual([10, 11, 12, 9]);
    expect(frames.ready(11)).toBeDefined();
    expect(loaded.length).toBeLessThanOrEqual(12);
  });

  it('that are far away are given back', async () => {
    const { frames, closed } = film(100, 8 * 400);
    frames.want(0);
    await settled();
    frames.want(90);
    await settled();
    expect(frames.ready(0)).toBeUndefined();
    expect(closed).toContain(0);
    frames.close();
    expect(closed).toContain(90);
  });

  it('that cannot be had say why, and are tried again when they are wanted once more', async () => {
    let tries = 0;
    const told: number[] = [];
    const load = (index: number) =>
      index === 1
        ? Promise.reject(new Error(`try ${++tries}`))
        : Promise.resolve({ width: 10, height: 10, close: () => {} });
    const frames = decodeAhead(3, load, (index) => told.push(index));
    frames.want(0);
    await settled();
    expect(told.toSorted()).toEqual([0, 1, 2]);
    expect(frames.failure(1)).toEqual(new Error('try 1'));
    expect([frames.ready(1), frames.failure(0)]).toEqual([undefined, undefined]);
    frames.want(2);
    await settled();
    expect(tries).toBe(1);
    frames.want(1);
    await settled();
    expect(frames.failure(1)).toEqual(new Error('try 2'));
  });

  it('that come later are there too', async () => {
    const { frames } = film(1, 8 * 400);
    frames.want(0);
    frames.grow(3);
    frames.want(2);
    await settled();
    expect(frames.ready(2)).toBeDefined();
  });
});
