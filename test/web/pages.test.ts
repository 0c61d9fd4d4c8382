// Each page of `rectiflow watch`, in a browser, with a run that was trained here.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type WatchedPage,
  checkQuiet,
  checkSeen,
  copyRun,
  inkOf,
  noBrowser,
  trainedRuns,
  watchedPage,
} from '../support/watched-page.ts';

const wait = { timeout: 20_000 };

describe.skipIf(noBrowser)(`the page (${noBrowser ?? 'in chromium'})`, () => {
  let watched: WatchedPage;

  beforeAll(async () => {
    const runs = await trainedRuns();
    await copyRun(runs, 'digits', 'digits-slow', (config) => {
      config['optimizer']!['learningRate'] = 5e-4;
    });
    watched = await watchedPage(runs);
    watched.page.setDefaultTimeout(20_000);
  }, 120_000);
  afterAll(async () => {
    await watched?.close();
  });

  it('takes the token out of the address, and keeps it when it is loaded again', async () => {
    const { page } = watched;
    await page.getByRole('link', { name: 'digits', exact: true }).waitFor();
    expect(page.url()).not.toContain('token');
    await page.reload();
    await page.getByRole('link', { name: 'digits', exact: true }).waitFor();
    checkQuiet(watched);
  });

  it('without the token says what is missing', async () => {
    const { page, server } = watched;
    const other = await page.context().browser()!.newPage();
    await other.goto(server.url.split('#')[0]!);
    await checkSeen(other.getByText('Open the link that rectiflow watch printed'));
    await other.close();
  });

  it('lists the runs, finds by words, sorts, and shows the last samples', async () => {
    const { page, go } = watched;
    await go('/');
    const rows = page.locator('tbody tr');
    await expect.poll(() => rows.count(), wait).toBe(2);
    await page.getByRole('searchbox', { name: 'Search runs' }).fill('slow');
    await expect.poll(() => rows.count()).toBe(1);
    await expect.poll(() => rows.first().innerText()).toContain('24 of 24');
    await expect.poll(() => rows.first().innerText()).toContain('finished');
    await page.getByRole('searchbox').fill('nothing of this kind');
    await page.getByText('No run has all of these words.').waitFor();
    await page.getByRole('searchbox').fill('');
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await expect.poll(() => rows.first().innerText()).toMatch(/digits\n/);
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await expect.poll(async () => rows.first().innerText()).toContain('digits-slow');
    await rows.first().locator('img').waitFor();
    checkQuiet(watched);
  });

  it('draws curves, smooths and zooms them by pointer and by keyboard', async () => {
    const { page, go } = watched;
    await go('/run/digits');
    const loss = page.getByRole('application', { name: /^Loss over step/ });
    await loss.waitFor();
    await expect.poll(async () => (await inkOf(page, '.u-wrap canvas')).pixels, wait).toBeGreaterThan(300);
    await page.getByRole('slider', { name: 'smooth' }).fill('0.9');
    const figure = page.locator('figure').filter({ has: loss });
    const second = async (): Promise<string> => {
      await loss.focus();
      await page.keyboard.press('Home');
      await page.keyboard.press('ArrowRight');
      return figure.locator('.at').innerText();
    };
    await expect.poll(second).toBe('step 2');
    const all = page.getByRole('button', { name: 'Show all' });
    await expect.poll(() => all.isDisabled()).toBe(true);
    await page.keyboard.press('+');
    await expect.poll(() => all.isEnabled()).toBe(true);
    await page.keyboard.press('0');
    await expect.poll(() => all.isDisabled()).toBe(true);
    const box = (await loss.boundingBox())!;
    await page.mouse.move(box.x + box.width * 0.4, box.y + 80);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.7, box.y + 80, { steps: 4 });
    await page.mouse.up();
    await expect.poll(() => all.isEnabled()).toBe(true);
    await page.getByRole('button', { name: 'time', exact: true }).click();
    await page.getByRole('application', { name: /^Loss over time/ }).waitFor();
    await expect.poll(() => all.isDisabled()).toBe(true);
    await page.getByRole('button', { name: 'step', exact: true }).click();
    checkQuiet(watched);
  });

  it('draws the loss by time and the gradients by block as colours, and reads them by keyboard', async () => {
    const { page, go } = watched;
    await go('/run/digits');
    const map = page.getByRole('application', { name: /^Loss by time over step, 4 rows/ });
    await map.waitFor();
    await expect
      .poll(async () => (await inkOf(page, 'canvas[aria-label^="Loss by time"]')).colours, wait)
      .toBeGreaterThan(10);
    await map.focus();
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowUp');
    await page.getByText(/1\/4 to 1\/2, step 1: \d/).waitFor();
    checkQuiet(watched);
  });

  it('shows what was held out beside what was trained on', async () => {
    const { page, go } = watched;
    await go('/run/digits');
    const heldOut = page.getByRole('application', { name: /^Held-out loss over step/ });
    await heldOut.waitFor();
    const figure = page.locator('figure').filter({ has: heldOut });
    await expect.poll(() => figure.innerText()).toContain('trained on');
    const line = figure.getByRole('button', { name: /^trained on/ });
    await line.click();
    await expect.poll(() => line.getAttribute('aria-pressed')).toBe('false');
    checkQuiet(watched);
  });

  it('goes through samples by the keys of a slider, and plays them', async () => {
    const { page, go } = watched;
    await go('/run/digits/samples');
    const slider = page.getByRole('slider', { name: 'Step of the picture' });
    const shown = page.locator('canvas[role=img]');
    await expect.poll(() => shown.getAttribute('data-step'), wait).toBe('24');
    expect((await inkOf(page, 'canvas[role=img]')).pixels).toBeGreaterThan(1000);
    // From the end, where it is at first, it begins anew.
    await page.evaluate(`
      window.seen = [];
      const film = document.querySelector('canvas[role=img]');
      new MutationObserver(() => seen.push(film.dataset.step)).observe(film, { attributeFilter: ['data-step'] });
    `);
    await page.getByRole('button', { name: 'Play' }).click();
    await expect.poll(() => page.evaluate('[...new Set(seen)]'), wait).toEqual(['6', '12', '18', '24']);
    await slider.focus();
    await page.keyboard.press('Home');
    await expect.poll(() => shown.getAttribute('data-step')).toBe('6');
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => shown.getAttribute('aria-label')).toBe('Samples at step 12');
    await page.keyboard.press('Home');
    await page.keyboard.press('Space');
    await expect.poll(() => shown.getAttribute('data-step'), wait).toBe('24');
    await page.getByRole('button', { name: 'Out of noise' }).click();
    await expect
      .poll(() => shown.getAttribute('aria-label'))
      .toBe('How samples come out of noise at step 24');
    checkQuiet(watched);
  });

  it('lists notices, settings, checkpoints, and draws the data', { timeout: 120_000 }, async () => {
    const { page, go } = watched;
    await go('/run/digits/notices');
    await page.getByText('The loss does not fall.').waitFor();
    await go('/run/digits/settings');
    await page.getByText('timeSampling').first().waitFor();
    await go('/run/digits/files');
    await expect.poll(() => page.locator('table').innerText()).toMatch(/24\s+\d+(\.\d)? [kM]B/);
    await page.getByRole('button', { name: 'Show the data' }).click();
    await page.getByRole('img', { name: 'The first samples' }).waitFor({ timeout: 90_000 });
    checkQuiet(watched);
  });

  it('compares runs: what differs, curves over each other, samples of the same step', async () => {
    const { page, go } = watched;
    await go('/');
    await page.getByRole('checkbox', { name: 'Compare digits', exact: true }).check();
    await page.getByRole('checkbox', { name: 'Compare digits-slow' }).check();
    await page.getByRole('link', { name: 'Compare 2' }).click();
    const settings = page.getByRole('table');
    await settings.waitFor();
    await expect.poll(() => settings.innerText()).toMatch(/optimizer\.learningRate\s+1e-4\s+5e-4/);
    const loss = page.getByRole('application', { name: /^Loss over step/ });
    await loss.waitFor();
    const slider = page.getByRole('slider', { name: 'Step of the samples' });
    await slider.focus();
    await page.keyboard.press('Home');
    await expect.poll(() => page.getByRole('img', { name: /at step 6$/ }).count(), wait).toBe(2);
    checkQuiet(watched);
  });

  it('makes samples with settings of its own', { timeout: 120_000 }, async () => {
    const { page, go } = watched;
    await go('/run/digits/make');
    await page.getByRole('textbox', { name: 'Guidance' }).fill('much');
    await page.getByRole('button', { name: 'Make samples' }).click();
    await page.getByText('guidance: this has to be a number, not much.').waitFor();
    await page.getByRole('textbox', { name: 'Guidance' }).fill('1.5');
    await page.getByLabel('Classes, with commas between').fill('3, 7');
    await page.getByRole('textbox', { name: 'Of each class' }).fill('2');
    await page.getByRole('textbox', { name: 'Seed' }).fill('5');
    await page.getByRole('button', { name: 'Make samples' }).click();
    await page.getByRole('heading', { name: '4 samples of step 24' }).waitFor({ timeout: 90_000 });
    await page.getByRole('img', { name: 'Samples of digits' }).waitFor();
    await page.getByText('What they were made with').click();
    await expect.poll(() => page.locator('details dl').innerText()).toMatch(/guidance\s+1\.5/);
    checkQuiet(watched);
  });

  it(
    'says what the data of a recipe are, and what is wrong with a config',
    { timeout: 120_000 },
    async () => {
      const { page, go } = watched;
      await go('/start');
      await page.getByRole('radio', { name: /^digits/ }).check();
      await page.getByRole('button', { name: 'Check the data' }).click();
      await page.getByRole('heading', { name: 'Data' }).waitFor({ timeout: 90_000 });
      await page.getByRole('radio', { name: /^a config of your own/ }).check();
      await page.getByRole('textbox', { name: 'Config' }).fill('data: { sauce: folder }');
      await page.getByRole('button', { name: 'Check the data' }).click();
      const told = page.getByRole('alert').getByText(/data\.source: wanted one of/);
      await checkSeen(told, { timeout: 90_000 });
    },
  );
});
