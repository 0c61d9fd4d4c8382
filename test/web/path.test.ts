// The path of a sample, looked at in the page of its run.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Locator } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { samplePath } from '../../src/api/sample-path.ts';
import { train } from '../../src/api/train.ts';
import { pathPictures } from '../../src/runner/samples/path-pictures.ts';
import type { PathOfSample } from '../../src/runner/samples/path-of-sample.ts';
import { writePathGrid } from '../../src/runner/samples/write-path.ts';
import { keptRuns } from '../golden/kept-runs.ts';
import { checkInBothColours } from '../support/axe.ts';
import { temporaryFolder } from '../support/cli.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';
import { type WatchedPage, checkQuiet, checkSeen, noBrowser, watchedPage } from '../support/watched-page.ts';

describe.skipIf(noBrowser)(`the path of a sample (${noBrowser ?? 'in chromium'})`, () => {
  let watched: WatchedPage;
  let runs: string;

  beforeAll(async () => {
    runs = join(await temporaryFolder(), 'runs');
    const config = { ...tinyStripes, optimizer: { learningRate: 1e-2 } };
    const steps = { ...tinyStripes.train, checkpointEvery: 6 };
    await train({ ...config, train: steps }, { runs, source: stripes() });
    for (const name of ['captions', 'cells', 'ddpm']) {
      const kept = keptRuns[name]!;
      await train({ ...kept.config, name }, { runs, source: await kept.source(join(runs, '..')) });
    }
    watched = await watchedPage(runs);
    watched.page.setDefaultTimeout(60_000);
  }, 120_000);
  afterAll(async () => {
    await watched?.close();
  });

  async function panelOf(run: string, { page, go }: WatchedPage = watched): Promise<Locator> {
    await go(`/run/${run}/samples`);
    return page.getByRole('region', { name: 'Path of a sample' });
  }

  /** The red of each pixel of the canvas that shows this, once it shows that time. */
  async function pixelsOf(panel: Locator, name: string, index: number): Promise<number[]> {
    const canvas = panel.getByRole('img', { name });
    await expect.poll(() => canvas.getAttribute('data-index')).toBe(String(index));
    const url = await canvas.evaluate((drawn) => (drawn as unknown as { toDataURL(): string }).toDataURL());
    const png = sharp(Buffer.from(url.slice(url.indexOf(',') + 1), 'base64'));
    const { data, info } = await png.raw().toBuffer({ resolveWithObject: true });
    return Array.from(data).filter((_, i) => i % info.channels === 0);
  }

  /** What the page should show of it: by what it is and the time, the red of each pixel. */
  async function expectedOf(path: PathOfSample): Promise<(row: number, time: number) => number[]> {
    const file = join(runs, '..', 'expected.png');
    const { rows, width, height, columns } = await writePathGrid(file, path, pathPictures(path)!);
    const { data, info } = await sharp(await readFile(file))
      .raw()
      .toBuffer({ resolveWithObject: true });
    return (row, time) => {
      const place = time * rows.length + row;
      const [left, top] = [width * (place % columns), height * Math.floor(place / columns)];
      const at = (i: number): number => (top + Math.floor(i / width)) * info.width + left + (i % width);
      return Array.from({ length: width * height }, (_, i) => data[info.channels * at(i)]!);
    };
  }

  it(
    'of a class is gone along by keyboard, with its velocity and where it leads',
    { timeout: 120_000 },
    async () => {
      const { page } = watched;
      const panel = await panelOf('stripes');
      await panel.getByRole('combobox', { name: 'Class' }).fill('2');
      await panel.getByRole('textbox', { name: 'Guidance' }).fill('2');
      await panel.getByRole('textbox', { name: 'Steps' }).fill('4');
      await panel.getByRole('textbox', { name: 'Seed' }).fill('5');
      await panel.getByRole('combobox', { name: 'Sampler' }).selectOption('heun');
      await panel.getByRole('combobox', { name: 'Weights' }).selectOption('model');
      await panel.getByRole('combobox', { name: 'Checkpoint' }).selectOption('6');
      await panel.getByRole('button', { name: 'Follow it' }).focus();
      await page.keyboard.press('Enter');
      await checkSeen(panel.getByRole('heading', { name: 'From noise to class 2, by step 6' }));
      const path = await samplePath(join(runs, 'stripes'), {
        labels: [2],
        guidance: 2,
        steps: 4,
        seed: 5,
        sampler: 'heun',
        weights: 'model',
        checkpoint: 6,
      });
      const expected = await expectedOf(path);
      const slider = panel.getByRole('slider', { name: 'Time, from noise to data' });
      const status = panel.locator('output').first();
      const told = (index: number): string =>
        `t = ${path.times[index]!.toFixed(2)}, velocity ${path.speeds[index]!.toFixed(2)}, ${Number(path.angles[index]!.toFixed(1))}° off the straight line`;
      await slider.focus();
      const stops = [
        ['Home', 0],
        ['ArrowRight', 1],
        ['ArrowRight', 2],
        ['ArrowLeft', 1],
      ] as const;
      for (const [key, index] of stops) {
        await page.keyboard.press(key);
        await expect.poll(() => status.innerText()).toBe(told(index));
        expect(await slider.getAttribute('aria-valuetext')).toBe(told(index));
        const names = ['Where it is at', 'Velocity at', 'Where it leads at'];
        for (const [row, name] of names.entries())
          expect(await pixelsOf(panel, name, index)).toEqual(expected(row, index));
      }
      await page.keyboard.press('End');
      await expect.poll(() => status.innerText()).toBe('t = 0.00, the sample');
      expect(await pixelsOf(panel, 'Where it is at t = 0.00', 4)).toEqual(expected(0, 4));
      await checkSeen(panel.getByRole('heading', { name: 'Size of the velocity' }));
      await checkSeen(panel.getByRole('heading', { name: 'Off the straight line, in degrees' }));
      checkQuiet(watched);
    },
  );

  it('of a prompt is that of one', { timeout: 120_000 }, async () => {
    const panel = await panelOf('captions');
    await panel.getByRole('textbox', { name: 'Prompt' }).fill('red square');
    await panel.getByRole('textbox', { name: 'Steps' }).fill('2');
    await panel.getByRole('button', { name: 'Follow it' }).click();
    await checkSeen(panel.getByRole('heading', { name: /^From noise to red square, by step/ }));
    const path = await samplePath(join(runs, 'captions'), { prompts: ['red square'], steps: 2 });
    const expected = await expectedOf(path);
    expect(await pixelsOf(panel, 'Velocity at', 0)).toEqual(expected(1, 0));
    checkQuiet(watched);
  });

  it('of cells is shown by curves, and that is said', { timeout: 120_000 }, async () => {
    const panel = await panelOf('cells');
    await panel.getByRole('button', { name: 'Follow it' }).click();
    await checkSeen(panel.getByText('Samples of this run are shown by curves alone: they are no pictures.'));
    await checkSeen(panel.getByRole('heading', { name: 'Size of the velocity' }));
    expect(await panel.getByRole('img').count()).toBe(0);
    checkQuiet(watched);
  });

  it('is refused with a sentence', { timeout: 120_000 }, async () => {
    const panel = await panelOf('stripes');
    await panel.getByRole('combobox', { name: 'Class' }).fill('0-2');
    await panel.getByRole('button', { name: 'Follow it' }).click();
    await checkSeen(panel.getByRole('alert').getByText('labels must be one: it is the path of one sample'));
    const other = await panelOf('ddpm');
    await other.getByRole('button', { name: 'Follow it' }).click();
    await checkSeen(other.getByRole('alert').getByText('it has no paths of rectified flow'));
    checkQuiet(watched);
  });

  it('has no findings of axe, and fits on a phone', { timeout: 120_000 }, async () => {
    const phone = await watchedPage(runs, { viewport: { width: 360, height: 800 }, bypassCSP: true });
    const { page } = phone;
    const panel = await panelOf('stripes', phone);
    await panel.getByRole('button', { name: 'Follow it' }).click();
    await checkSeen(panel.getByRole('img', { name: 'Where it leads at t = 1.00' }), { timeout: 60_000 });
    await checkSeen(panel.locator('.u-wrap canvas').first());
    await checkInBothColours(page);
    checkQuiet(phone);
    await phone.close();
  });
});
