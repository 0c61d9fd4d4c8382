// Runs of other settings beside each other.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type WatchedPage,
  checkQuiet,
  copyRun,
  noBrowser,
  trainedRuns,
  watchedPage,
} from '../support/watched-page.ts';

describe.skipIf(noBrowser)(`three runs that are compared (${noBrowser ?? 'in chromium'})`, () => {
  let watched: WatchedPage;

  beforeAll(async () => {
    const runs = await trainedRuns();
    await copyRun(runs, 'digits', 'slow', (config) => {
      config['optimizer']!['learningRate'] = 5e-4;
    });
    await copyRun(runs, 'digits', 'wide', (config) => {
      config['model']!['width'] = 64;
    });
    watched = await watchedPage(runs);
    watched.page.setDefaultTimeout(20_000);
    await watched.go('/compare?runs=digits&runs=slow&runs=wide');
  }, 120_000);
  afterAll(async () => {
    await watched?.close();
  });

  it('have a row for each setting that differs, in the order in which they were chosen', async () => {
    const rows = watched.page.getByRole('table').locator('tbody tr');
    const cells = async (): Promise<string[][]> =>
      (await rows.allInnerTexts()).map((row) => row.split(/\s+/));
    await expect.poll(cells).toHaveLength(2);
    expect((await cells()).toSorted()).toEqual([
      ['model.width', '32', '32', '64'],
      ['optimizer.learningRate', '1e-4', '5e-4', '1e-4'],
    ]);
  });

  it('show samples of one step, and a line of each in every chart', async () => {
    const { page } = watched;
    await page.getByRole('slider', { name: 'Step of the samples' }).focus();
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowRight');
    for (const run of ['digits', 'slow', 'wide'])
      await page.getByRole('img', { name: `Samples of ${run} at step 12`, exact: true }).waitFor();
    const loss = page.locator('figure').filter({
      has: page.getByRole('application', { name: /^Loss over step/ }),
    });
    await expect.poll(() => loss.getByRole('button', { name: /^(digits|slow|wide)/ }).count()).toBe(3);
    checkQuiet(watched);
  });
});
