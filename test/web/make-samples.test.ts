// Samples that the page asks of a process that trains.
import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSteering } from '../../src/runs/steering-events.ts';
import { checkInBothColours } from '../support/axe.ts';
import { type Running, startRectiflow, temporaryFolder } from '../support/cli.ts';
import {
  type WatchedPage,
  checkQuiet,
  checkSeen,
  noBrowser,
  shownDigits,
  watchedPage,
} from '../support/watched-page.ts';

describe.skipIf(noBrowser)(`samples of a run that trains (${noBrowser ?? 'in chromium'})`, () => {
  let watched: WatchedPage;
  let training: Running;
  let folder: string;
  let run: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    run = join(folder, 'runs', 'growing');
    const settings = { steps: 1_000_000, batchSize: 8, logEvery: 20, sampleEvery: 0, checkpointEvery: 0 };
    const sets = [
      ...Object.entries(settings).map(([name, value]) => `train.${name}=${value}`),
      ...Object.entries(shownDigits.model).map(([name, value]) => `model.${name}=${value}`),
      'data.split=test',
      'sample.steps=2',
      'sample.perClass=1',
      'ema.decays=[0.5]',
      'backend.threads=1',
    ].flatMap((set) => ['--set', set]);
    training = startRectiflow(folder, ['train', 'digits', '--name', 'growing', ...sets]);
    await training.saw(/^step /m);
    watched = await watchedPage(join(folder, 'runs'));
    watched.page.setDefaultTimeout(60_000);
    await watched.go('/run/growing/make');
  }, 120_000);
  afterAll(async () => {
    training?.process.kill('SIGKILL');
    await watched?.close();
  });

  it('are made in its process, before there is a checkpoint, and shown', async () => {
    const { page } = watched;
    const where = page.getByRole('combobox', { name: 'Where' });
    await expect.poll(() => where.inputValue()).toBe('inside');
    await expect.poll(() => where.isDisabled()).toBe(true);
    const sent = page.waitForResponse(/\/asked\//);
    await page.getByRole('combobox', { name: 'Classes' }).fill('3, 7');
    await page.getByRole('textbox', { name: 'Of each class' }).fill('2');
    await page.getByRole('combobox', { name: 'Weights' }).selectOption('ema:0.5');
    await page.getByRole('button', { name: 'Make samples' }).click();
    const heading = page.getByRole('heading', { name: /^4 samples of step [\d,]+$/ });
    await checkSeen(heading);
    const picture = page.getByRole('img', { name: 'Samples of growing' });
    await expect
      .poll(() => picture.evaluate((image) => (image as unknown as { naturalWidth: number }).naturalWidth))
      .toBeGreaterThan(100);
    const [event] = await readSteering(run);
    expect(event).toMatchObject({
      kind: 'sample',
      outcome: 'applied',
      samples: { weights: 'ema:0.5', counts: [2, 2] },
    });
    expect((await heading.innerText()).replaceAll(/\D/g, '')).toBe(`4${event!.step}`);
    const request = (await sent).request();
    const again = await fetch(request.url(), { headers: await request.allHeaders() });
    const file = await readFile(join(run, event!.made!.view));
    expect(Buffer.from(await again.arrayBuffer()).equals(file)).toBe(true);
    checkQuiet(watched);
  });

  it('are refused with a sentence', async () => {
    const { page } = watched;
    await page.getByRole('combobox', { name: 'Classes' }).fill('99');
    await page.getByRole('button', { name: 'Make samples' }).click();
    await checkSeen(page.getByRole('alert').filter({ hasText: 'labels must be classes of the model' }));
    checkQuiet(watched);
  });

  it('are made beside it where that is chosen, once there is a checkpoint; those before are still at hand', async () => {
    const { page } = watched;
    await page.getByRole('button', { name: 'Save now' }).click();
    const where = page.getByRole('combobox', { name: 'Where' });
    await expect.poll(() => where.isEnabled(), { timeout: 30_000 }).toBe(true);
    await expect.poll(() => where.inputValue()).toBe('beside');
    await page.getByRole('combobox', { name: 'Checkpoint' }).selectOption({ index: 1 });
    await page.getByRole('combobox', { name: 'Classes' }).fill('1');
    await page.getByRole('textbox', { name: 'Of each class' }).fill('3');
    await page.getByRole('button', { name: 'Make samples' }).click();
    await checkSeen(page.getByRole('heading', { name: /^3 samples of step/ }));
    await where.selectOption('inside');
    await expect.poll(() => page.getByRole('combobox', { name: 'Checkpoint' }).count()).toBe(0);
    await page.getByRole('button', { name: 'Pause' }).click();
    await checkSeen(page.getByText(/^Paused after step/));
    await page.getByRole('textbox', { name: 'Of each class' }).fill('5');
    await page.getByRole('button', { name: 'Make samples' }).click();
    await checkSeen(page.getByRole('heading', { name: /^5 samples of step/ }));
    const earlier = page.getByRole('list').getByRole('button', { name: /^step [\d,]+: 4$/ });
    await earlier.focus();
    await page.keyboard.press('Enter');
    await checkSeen(page.getByRole('heading', { name: /^4 samples of step/ }));
    await expect.poll(() => earlier.getAttribute('aria-pressed')).toBe('true');
    expect(
      (await readdir(join(run, 'samples', 'asked'))).filter((name) => name.endsWith('.png')),
    ).toHaveLength(2);
    checkQuiet(watched);
  });

  it('have a form without findings of axe, which fits on a phone', async () => {
    const wide = { viewport: { width: 360, height: 800 }, bypassCSP: true };
    const phone = await watchedPage(join(folder, 'runs'), wide);
    const { page } = phone;
    await phone.go('/run/growing/make');
    await page.getByRole('combobox', { name: 'Where' }).selectOption('inside');
    await page.getByRole('button', { name: /^step [\d,]+: 5$/ }).click();
    await checkSeen(page.getByRole('img', { name: 'Samples of growing' }));
    await checkInBothColours(page);
    checkQuiet(phone);
    await phone.close();
  });
});
