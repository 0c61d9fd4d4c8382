import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bucketsOf, croppedShare, nearestBucket, squareBucket } from '../../../src/sources/images/buckets.ts';
import { planTransforms } from '../../../src/sources/images/transforms.ts';

const settings = { area: 512 ** 2, step: 64, maxAspect: 2 };
const names = (sizes: readonly { height: number; width: number }[]): string[] =>
  sizes.map(({ height, width }) => `${height}x${width}`);

describe('buckets', () => {
  test('are the tallest of each width and the widest of each height', () => {
    expect(names(bucketsOf(settings))).toEqual(['640x384', '576x448', '512x512', '448x576', '384x640']);
    expect(names(bucketsOf({ area: 100 * 100, step: 40, maxAspect: 1 }))).toEqual(['80x80']);
    expect(names(bucketsOf({ area: 10_000, step: 32, maxAspect: 4 }))).toContain('96x96');
  });

  test('hold the square, keep to area, step and aspect, and come in pairs', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 30 }),
        fc.double({ min: 1, max: 6, noNaN: true }),
        fc.integer({ min: 0, max: 500 }),
        (step, steps, maxAspect, more) => {
          const area = step * steps * step * steps + more;
          const found = bucketsOf({ area, step, maxAspect });
          expect(names(found)).toContain(names([squareBucket({ area, step })])[0]);
          expect(new Set(names(found)).size).toBe(found.length);
          const all = new Set(names(found));
          for (let side = step; side <= area / step; side += step) {
            const other = Math.floor(area / side / step) * step;
            const isAllowed = Math.max(side, other) <= maxAspect * Math.min(side, other);
            expect(all.has(`${other}x${side}`) || !isAllowed).toBe(true);
          }
          for (const { height, width } of found) {
            expect(height * width).toBeLessThanOrEqual(area);
            expect([height % step, width % step]).toEqual([0, 0]);
            expect(Math.max(height, width) / Math.min(height, width)).toBeLessThanOrEqual(maxAspect);
            expect(names(found)).toContain(`${width}x${height}`);
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  test('are chosen by the logarithm of the aspect, among those that an image covers where none may be enlarged', () => {
    const buckets = bucketsOf(settings);
    const chosen = (height: number, width: number, upscale = false): string | undefined => {
      const place = nearestBucket({ height, width }, buckets, upscale);
      return place === undefined ? undefined : names(buckets)[place];
    };
    expect(chosen(3000, 4000)).toBe('448x576');
    expect(chosen(4000, 3000)).toBe('576x448');
    expect(chosen(1000, 9000)).toBe('384x640');
    // Nearer to 1 than to 7:9 by their ratios, and farther by their differences.
    expect(chosen(1000, 885)).toBe('512x512');
    expect(chosen(1000, 880)).toBe('576x448');
    // Nearest is 448x576, which it does not cover.
    expect(chosen(440, 640)).toBe('384x640');
    expect(chosen(440, 640, true)).toBe('448x576');
    expect(chosen(450, 600)).toBe('448x576');
    expect(chosen(447, 639)).toBeUndefined();
    expect(chosen(447, 639, true)).toBe('448x576');
  });

  test('of the same aspect are chosen by their area', () => {
    const squares = [32, 64, 48].map((side) => ({ height: side, width: side }));
    expect(nearestBucket({ height: 90, width: 90 }, squares, true)).toBe(1);
    expect(nearestBucket({ height: 60, width: 60 }, squares, false)).toBe(2);
  });

  test('say what is cropped away', () => {
    expect(croppedShare({ height: 100, width: 200 }, { height: 50, width: 50 })).toBeCloseTo(0.5);
    expect(croppedShare({ height: 90, width: 100 }, { height: 512, width: 512 })).toBeCloseTo(0.1);
    expect(croppedShare({ height: 64, width: 48 }, { height: 640, width: 480 })).toBeCloseTo(0);
  });
});

test('an image is resized to cover a size with its proportions, and cropped', () => {
  const plan = (height: number, width: number): unknown =>
    planTransforms({
      transforms: [
        { kind: 'resize-to-cover', size: [40, 60] },
        { kind: 'center-crop', size: [40, 60] },
      ],
      size: { height, width },
      key: { seed: 0, epoch: 0 },
      index: 0,
      origin: 'a.png',
      maxPixels: 1e6,
    }).steps;
  expect(plan(100, 300)).toEqual([
    { kind: 'resize', height: 40, width: 120 },
    { kind: 'crop', top: 0, left: 30, height: 40, width: 60 },
  ]);
  expect(plan(301, 120)).toEqual([
    { kind: 'resize', height: 151, width: 60 },
    { kind: 'crop', top: 55, left: 0, height: 40, width: 60 },
  ]);
  expect(plan(40, 60)).toEqual([]);
});
