import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { checkData, previewData } from '../../src/api/data.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { reportLines } from '../../src/cli/data-report-view.ts';
import { temporaryFolder } from '../support/cli.ts';

/** Pictures of one colour each, that are no copies of each other. */
async function photos(sizes: readonly (readonly [height: number, width: number])[]): Promise<string> {
  const folder = join(await temporaryFolder(), 'photos');
  await mkdir(folder);
  for (const [i, [height, width]] of sizes.entries())
    await sharp({ create: { height, width, channels: 3, background: { r: 7 * i, g: 100, b: 255 - 9 * i } } })
      .png()
      .toFile(join(folder, `${String(i).padStart(2, '0')}.png`));
  return folder;
}

const buckets = { area: 32 * 32, step: 8, maxAspect: 2 };
// Buckets of 40x24, 32x32 and 24x40.
const set = [
  [40, 40],
  [60, 40],
  [45, 30],
  [40, 60],
  [44, 44],
  [48, 32],
] as const;

function config(path: string, data: object, train: object = {}): ConfigInput {
  return { data: { source: 'folder', path, ...data } as NonNullable<ConfigInput['data']>, train };
}

describe('a report on data in buckets', () => {
  test('tells of each how many images it has, how many steps they make, and what is cropped away', async () => {
    const report = await checkData(config(await photos(set), { buckets }, { batchSize: 2 }));
    expect(report.unreadable).toEqual({ count: 0, problems: [] });
    const cropped = 1 - 3 / 2 / (40 / 24);
    expect(report.readAt).toEqual([
      { name: '40x24', count: 3, cropped: expect.closeTo(cropped), batchSize: 2, steps: 2 },
      { name: '32x32', count: 2, cropped: 0, batchSize: 2, steps: 1 },
      { name: '24x40', count: 1, cropped: expect.closeTo(cropped), batchSize: 2, steps: 1 },
    ]);
    expect(report.advice.join()).toMatch(/Few images are of these sizes.*1 of 24x40/);
    expect(reportLines(report).join('\n')).toMatch(
      /read at +40x24 .* 3, 2 steps an epoch, 10 % cropped away\n.*32x32 .* 2, 1 step an epoch, 0 % cropped away/,
    );
  });

  test('says where much is cropped away, and counts tokens where batches do', async () => {
    const long = Array.from({ length: 4 }, (_, i) => [100 + i, 30] as const);
    const report = await checkData(
      config(await photos(long), { buckets }, { batchSize: 4, batchBy: 'tokens' }),
    );
    const [tall] = report.readAt!;
    // 1024 pixels are as many as 1.07 pictures of 40x24.
    expect(tall).toMatchObject({ name: '40x24', count: 4, batchSize: 4, steps: 1 });
    expect(report.advice.join()).toMatch(/Much of the images is cropped away, on average: 5\d % at 40x24/);
    expect(report.advice.join()).not.toMatch(/a crop loses most of them/);
  });

  test('of data at several sizes tells what is cropped away at each', async () => {
    const report = await checkData(config(await photos(set), { sizes: [16, 32] }));
    expect(report.readAt!.map(({ name, count }) => [name, count])).toEqual([
      ['16x16', 6],
      ['32x32', 6],
    ]);
    expect(report.readAt![0]!.cropped).toBeCloseTo((4 * (1 - 2 / 3)) / 6);
    expect(report.readAt![0]).not.toHaveProperty('steps');
  });

  test('of data at one size has none', async () => {
    expect(await checkData(config(await photos(set), { size: 16 }))).not.toHaveProperty('readAt');
  });
});

describe('a preview', () => {
  test('of buckets draws some of each at its shape', async () => {
    const path = join(await temporaryFolder(), 'preview.png');
    const { count } = await previewData(config(await photos(set), { buckets }), path, { count: 6 });
    // Two of each of three, where there are as many.
    expect(count).toBe(5);
    const { height, width } = await sharp(path).metadata();
    // Pictures are enlarged to about 144 pixels: 40x24 three times, 32x32 four times.
    expect(height).toBeGreaterThan(3 * 40 + 4 * 32 + 3 * 24);
    expect(width).toBeGreaterThan(2 * 4 * 32);
    const { data, info } = await sharp(path).raw().toBuffer({ resolveWithObject: true });
    const blue = Array.from({ length: info.width * info.height }, (_, i) => data[i * info.channels + 2]!);
    const drawn = new Set(blue.filter((value) => value > 0xd8 || (value < 0xd8 && value > 0x80)));
    expect(drawn.size).toBeGreaterThan(4);
  });

  test('of several sizes draws the same samples at each', async () => {
    const path = join(await temporaryFolder(), 'preview.png');
    const { count } = await previewData(config(await photos(set), { sizes: [16, 32] }), path, { count: 4 });
    expect(count).toBe(4);
    await expect(
      previewData(config(await photos(set), { sizes: [16, 32] }), path, { count: 10_000 }),
    ).rejects.toThrow(/count must be at most 4096/);
  });
});
