import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { outputShape, planTransforms } from '../../../src/sources/images/transforms.ts';
import type { RandomResizedCrop, Transform } from '../../../src/sources/settings.ts';
import { type Reading, decodeBytes, painted, settingsOf } from './pictures.ts';

const SQUARE: RandomResizedCrop = {
  kind: 'random-resized-crop',
  size: 8,
  scale: [0.08, 1],
  ratio: [3 / 4, 4 / 3],
};
const FLIP: Transform = { kind: 'horizontal-flip', probability: 0.5 };

function plan(transforms: readonly Transform[], height: number, width: number, reading: Reading = {}) {
  const { seed = 0, epoch = 0, index = 0 } = reading;
  const size = { height, width };
  return planTransforms({ transforms, size, key: { seed, epoch }, index, origin: 'a.png', maxPixels: 1e6 });
}

describe('outputShape', () => {
  const shapeOf = (...transforms: Transform[]) => outputShape({ channels: 3, transforms });

  test('is the size of the last transform that fixes one', () => {
    expect(shapeOf({ kind: 'resize', size: 64 }, { kind: 'center-crop', size: 48 }, FLIP)).toEqual([
      3, 48, 48,
    ]);
    expect(shapeOf({ kind: 'resize', size: [20, 30] })).toEqual([3, 20, 30]);
    expect(shapeOf({ kind: 'random-crop', size: [20, 30] })).toEqual([3, 20, 30]);
    expect(shapeOf(SQUARE)).toEqual([3, 8, 8]);
  });

  test('follows a resize of the shorter side once the size is known', () => {
    expect(shapeOf({ kind: 'center-crop', size: [20, 30] }, { kind: 'resize', size: 10 })).toEqual([
      3, 10, 15,
    ]);
  });

  test('is an error where the size stays open', () => {
    const advice =
      'the last size is not fixed, and a model takes images of one size. End with a crop or a resize';
    expect(() => shapeOf()).toThrow(advice);
    expect(() => shapeOf({ kind: 'resize', size: 64 }, FLIP)).toThrow(advice);
  });

  test.each([
    [
      { kind: 'resize', size: 0 },
      'transforms[0]: size must be a whole number above 0, or [height, width], got 0',
    ],
    [{ kind: 'center-crop', size: [8, 1.5] }, 'got [8,1.5]'],
    [{ kind: 'horizontal-flip', probability: 2 }, 'probability must be from 0 to 1, got 2'],
    [{ ...SQUARE, scale: [0, 1] }, 'scale must be [least, most] with 0 < least <= most <= 1, got [0,1]'],
    [{ ...SQUARE, ratio: [2, 1] }, 'ratio must be [least, most] with 0 < least <= most, got [2,1]'],
  ] as [Transform, string][])('refuses %j', (transform, problem) => {
    expect(() => shapeOf(transform)).toThrow(problem);
  });

  test('refuses a crop that cannot fit', () => {
    expect(() => shapeOf({ kind: 'resize', size: [8, 8] }, { kind: 'center-crop', size: 9 })).toThrow(
      'transforms[1]: size must be no larger than the 8x8 that come before it, got 9x9',
    );
  });
});

describe('plan', () => {
  test('the shorter side is resized, the proportions stay', () => {
    expect(plan([{ kind: 'resize', size: 32 }], 64, 100).steps).toEqual([
      { kind: 'resize', height: 32, width: 50 },
    ]);
    expect(plan([{ kind: 'resize', size: 32 }], 100, 64).size).toEqual({ height: 50, width: 32 });
    expect(plan([{ kind: 'resize', size: 32 }], 32, 32).steps).toEqual([]);
  });

  test('a crop after mirroring is taken from the other side', () => {
    const always: Transform = { kind: 'horizontal-flip', probability: 1 };
    const { steps, mirrored } = plan([always, { kind: 'center-crop', size: [2, 2] }], 2, 5);
    expect(steps).toEqual([{ kind: 'crop', top: 0, left: 2, height: 2, width: 2 }]);
    expect(mirrored).toBe(true);
    expect(plan([always, always], 2, 5).mirrored).toBe(false);
  });

  test('random crops lie inside and reach every place', () => {
    const places = new Set<string>();
    for (let index = 0; index < 400; index++) {
      const [step] = plan([{ kind: 'random-crop', size: [6, 7] }], 8, 9, { index }).steps;
      if (step?.kind === 'crop') places.add(`${step.top},${step.left}`);
    }
    expect([...places].toSorted()).toEqual(['0,0', '0,1', '0,2', '1,0', '1,1', '1,2', '2,0', '2,1', '2,2']);
  });

  test('resized crops keep to the scale and the ratio, and are resized to the size', () => {
    for (let index = 0; index < 400; index++) {
      const [crop, resize] = plan([{ ...SQUARE, scale: [0.2, 0.5] }], 200, 100, { index }).steps;
      expect(resize).toEqual({ kind: 'resize', height: 8, width: 8 });
      if (crop?.kind !== 'crop') throw new Error('the first step is no crop');
      const share = (crop.height * crop.width) / 20_000;
      expect(share).toBeGreaterThan(0.19);
      expect(share).toBeLessThan(0.51);
      const proportion = crop.width / crop.height;
      expect(proportion).toBeGreaterThan(0.72);
      expect(proportion).toBeLessThan(1.38);
      expect(crop.top + crop.height).toBeLessThanOrEqual(200);
      expect(crop.left + crop.width).toBeLessThanOrEqual(100);
    }
  });

  test('where no rectangle fits, the largest in the middle is taken', () => {
    const transforms: Transform[] = [{ ...SQUARE, scale: [1, 1] }];
    expect(plan(transforms, 300, 40).steps[0]).toEqual({
      kind: 'crop',
      top: 123,
      left: 0,
      height: 53,
      width: 40,
    });
    expect(plan(transforms, 40, 300).steps[0]).toEqual({
      kind: 'crop',
      top: 0,
      left: 123,
      height: 40,
      width: 53,
    });
  });

  test('flips come as often as they should, and never or always at 0 and 1', () => {
    const flips = (probability: number): number =>
      Array.from({ length: 1000 }, (_, index) => plan([{ ...FLIP, probability }], 4, 4, { index })).filter(
        ({ mirrored }) => mirrored,
      ).length;
    expect(flips(0)).toBe(0);
    expect(flips(1)).toBe(1000);
    expect(Math.abs(flips(0.3) - 300)).toBeLessThan(50);
  });

  test('two random transforms of one list draw numbers of their own', () => {
    const both = Array.from({ length: 200 }, (_, index) => plan([FLIP, FLIP], 4, 4, { index }).mirrored);
    expect(both).toContain(true);
    expect(both).toContain(false);
  });
});

describe('pixels', () => {
  const noisy = painted(
    40,
    48,
    (row, column, channel) => (row * 7919 + column * 104_729 + channel * 31) % 251,
  ).png();
  const settings = settingsOf(8, { transforms: [{ kind: 'resize', size: 20 }, SQUARE, FLIP] });

  test('are the same for the same (seed, epoch, index), in any order, and others for others', async () => {
    const bytes = await noisy.toBuffer();
    const readings: Reading[] = [{}, { epoch: 1 }, { index: 1 }, { seed: 1 }];
    const first = await Promise.all(readings.map((reading) => decodeBytes(bytes, settings, reading)));
    const again = await Promise.all(
      readings.toReversed().map((reading) => decodeBytes(bytes, settings, reading)),
    );
    expect(again.toReversed()).toEqual(first);
    expect(new Set(first.map(String)).size).toBe(4);
  });

  test('a mirrored image is mirrored', async () => {
    const bytes = await painted(1, 3, (_, column) => 100 * column)
      .png()
      .toBuffer();
    const transforms: Transform[] = [
      { kind: 'center-crop', size: [1, 3] },
      { kind: 'horizontal-flip', probability: 1 },
    ];
    expect(await decodeBytes(bytes, settingsOf(1, { channels: 1, transforms }))).toEqual([200, 100, 0]);
  });

  test('several resizes and crops follow one another', async () => {
    // Quarters of one value each, of which the middle half is kept twice: the corners stay what they were.
    const quarter = (row: number, column: number): number => (row < 64 ? 0 : 200) + (column < 64 ? 0 : 50);
    const bytes = await painted(128, 128, quarter).png().toBuffer();
    const transforms: Transform[] = [
      { kind: 'resize', size: [256, 256] },
      { kind: 'center-crop', size: [128, 128] },
      { kind: 'resize', size: [64, 64] },
      { kind: 'center-crop', size: [64, 32] },
      { kind: 'resize', size: [16, 16] },
    ];
    for (const channels of [1, 3] as const) {
      const values = await decodeBytes(bytes, settingsOf(16, { transforms, channels }));
      expect([values[0], values[15], values[240], values[255]]).toEqual([0, 50, 200, 250]);
    }
  });

  test('a crop of a crop, before and behind a resize, mirrored too', async () => {
    const bytes = await painted(16, 16, (row, column) => 16 * row + column)
      .png()
      .toBuffer();
    const pixels = (...transforms: Transform[]): Promise<number[]> =>
      decodeBytes(bytes, settingsOf(4, { channels: 1, transforms }));
    const crops: Transform[] = [
      { kind: 'center-crop', size: 12 },
      { kind: 'center-crop', size: [8, 6] },
      { kind: 'center-crop', size: [2, 4] },
    ];
    expect(await pixels(...crops)).toEqual([118, 119, 120, 121, 134, 135, 136, 137]);
    expect(await pixels({ kind: 'horizontal-flip', probability: 1 }, ...crops)).toEqual([
      121, 120, 119, 118, 137, 136, 135, 134,
    ]);
    // The mean of the eight.
    const [mean] = await pixels(...crops, { kind: 'resize', size: [1, 1] });
    expect(Math.abs(mean! - 127.5)).toBeLessThanOrEqual(1);
  });

  test('a JPEG that is shrunk while it is decoded looks like one that is not', async () => {
    const jpeg = await painted(
      375,
      500,
      (row, column, channel) => (row * 7919 + column * 104_729 + channel * 31) % 251,
    )
      .jpeg({ quality: 90 })
      .toBuffer();
    const png = await sharp(jpeg).png().toBuffer();
    const resize = settingsOf(64, { transforms: [{ kind: 'resize', size: [64, 85] }] });
    const [shrunk, whole] = [await decodeBytes(jpeg, resize), await decodeBytes(png, resize)];
    const differences = shrunk.map((value, i) => Math.abs(value - whole[i]!));
    expect(differences.reduce((sum, value) => sum + value) / differences.length).toBeLessThan(1.5);
  });

  test.each(['png', 'jpeg'] as const)(
    'shrinking a fine %s chequerboard gives its mean, not some of its squares',
    async (format) => {
      const board = painted(256, 256, (row, column) => ((row + column) % 2 === 0 ? 255 : 0));
      const bytes = await board.toFormat(format, { quality: 100 }).toBuffer();
      const values = await decodeBytes(
        bytes,
        settingsOf(8, { transforms: [{ kind: 'resize', size: [32, 32] }] }),
      );
      expect(Math.max(...values.map((value) => Math.abs(value - 127.5)))).toBeLessThan(6);
    },
  );
});
