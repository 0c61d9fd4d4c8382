// Samples of the same noise by each checkpoint, as a film on the page of a run.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Locator } from 'playwright-core';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SampleRunOptions, sample } from '../../src/api/sample.ts';
import { train } from '../../src/api/train.ts';
import { writeSamples } from '../../src/runner/samples/write-samples.ts';
import { filmSteps } from '../../web/watch/data/film-steps.ts';
import { keptRuns } from '../golden/kept-runs.ts';
import { temporaryFolder } from '../support/cli.ts';
import { stripes, tinyStripes } from '../support/tiny-run.ts';
import { type WatchedPage, checkQuiet, checkSeen, noBrowser, watchedPage } from '../support/watched-page.ts';

describe('checkpoints of a film', () => {
  it('are all of a few', () => {
    expect(filmSteps([4, 8, 12], 3)).toEqual([4, 8, 12]);
  });

  it('are spread over many, with the first and the last', () => {
    const steps = Array.from({ length: 100 }, (_, i) => 10 * (i + 1));
    expect(filmSteps(steps, 4)).toEqual([10, 340, 670, 1000]);
  });
});

describe.skipIf(noBrowser)(`samples through training (${noBrowser ?? 'in chromium'})`, () => {
  let watched: WatchedPage;
  let runs: string;

  beforeAll(async () => {
    runs = join(await temporaryFolder(), 'runs');
    const optimizer = { learningRate: 1e-2 };
    const steps = { ...tinyStripes.train, checkpointEvery: 4, keepCheckpoints: 3 };
    await train({ ...tinyStripes, optimizer, train: steps }, { runs, source: stripes() });
    for (const name of ['captions', 'cells']) {
      const kept = keptRuns[name]!;
      const often = { ...kept.config.train!, checkpointEvery: 4 };
      await train(
        { ...kept.config, name, train: often },
        { runs, source: await kept.source(join(runs, '..')) },
      );
    }
    watched = await watchedPage(runs);
    watched.page.setDefaultTimeout(60_000);
  }, 120_000);
  afterAll(async () => {
    await watched?.close();
  });

  async function panelOf(run: string): Promise<Locator> {
    await watched.go(`/run/${run}/samples`);
    return watched.page.getByRole('region', { name: 'Through training' });
  }

  /** The red of each pixel of the film, once it shows that step. */
  async function shownAt(panel: Locator, step: number): Promise<number[]> {
    const canvas = panel.locator('.frame canvas');
    await expect.poll(() => canvas.getAttribute('data-step'), { timeout: 60_000 }).toBe(String(step));
    const url = await canvas.evaluate((drawn) => (drawn as unknown as { toDataURL(): string }).toDataURL());
    return reds(Buffer.from(url.slice(url.indexOf(',') + 1), 'base64'));
  }

  async function reds(png: Buffer): Promise<number[]> {
    const { data, info } = await sharp(png).toColourspace('srgb').raw().toBuffer({ resolveWithObject: true });
    return Array.from(data).filter((_, i) => i % info.channels === 0);
  }

  async function expectedOf(run: string, options: SampleRunOptions): Promise<number[]> {
    const folder = join(await temporaryFolder(), 'samples');
    const { view } = await writeSamples(folder, await sample(join(runs, run), options));
    return reds(await readFile(view));
  }

  it(
    'of a class are made by one checkpoint after the other, and gone through by keyboard',
    { timeout: 120_000 },
    async () => {
      const { page } = watched;
      const panel = await panelOf('stripes');
      await checkSeen(panel.getByText(/by 3\s+checkpoints/));
      await panel.getByRole('combobox', { name: 'Classes' }).fill('2');
      await panel.getByRole('textbox', { name: 'Of each class' }).fill('2');
      await panel.getByRole('textbox', { name: 'Seed' }).fill('5');
      await panel.getByRole('combobox', { name: 'Weights' }).selectOption('model');
      await panel.getByRole('button', { name: 'Make the film' }).focus();
      await page.keyboard.press('Enter');
      const slider = panel.getByRole('slider');
      await expect.poll(() => slider.getAttribute('max'), { timeout: 60_000 }).toBe('2');
      const options = { labels: [2], count: 2, seed: 5, weights: 'model' } as const;
      const frames: string[] = [];
      await slider.focus();
      for (const [key, checkpoint] of [
        ['Home', 4],
        ['ArrowRight', 8],
        ['End', 12],
      ] as const) {
        await page.keyboard.press(key);
        const frame = await shownAt(panel, checkpoint);
        expect(frame).toEqual(await expectedOf('stripes', { ...options, checkpoint }));
        frames.push(frame.join());
      }
      expect(new Set(frames).size).toBe(3);
      await expect.poll(() => panel.getByRole('button', { name: 'Make the film' }).isEnabled()).toBe(true);
      checkQuiet(watched);
    },
  );

  it('of a prompt, and of what was averaged', { timeout: 120_000 }, async () => {
    const panel = await panelOf('captions');
    await panel.getByRole('textbox', { name: 'Prompts' }).fill('red square');
    await panel.getByRole('textbox', { name: 'Of each prompt' }).fill('1');
    await panel.getByRole('button', { name: 'Make the film' }).click();
    const slider = panel.getByRole('slider');
    await expect.poll(() => slider.getAttribute('max'), { timeout: 60_000 }).toBe('1');
    const expected = await expectedOf('captions', { prompts: ['red square'], count: 1, checkpoint: 8 });
    expect(await shownAt(panel, 8)).toEqual(expected);
    checkQuiet(watched);
  });

  it('that cannot be made say why, once', { timeout: 120_000 }, async () => {
    const panel = await panelOf('stripes');
    await panel.getByRole('combobox', { name: 'Classes' }).fill('9');
    await panel.getByRole('button', { name: 'Make the film' }).click();
    await checkSeen(
      panel.getByRole('alert').getByText('labels must be classes of the model, from 0 to 2, got 9'),
    );
    await expect.poll(() => panel.getByRole('button', { name: 'Make the film' }).isEnabled()).toBe(true);
    expect(await panel.getByRole('slider').count()).toBe(0);
    const cells = await panelOf('cells');
    await cells.getByRole('button', { name: 'Make the film' }).click();
    await checkSeen(cells.getByText('Samples of this run are no pictures.'));
    checkQuiet(watched);
  });
});
