// Trainings that are begun by the page's form, what is looked at before.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/cli.ts';
import { type WatchedPage, checkQuiet, checkSeen, noBrowser, watchedPage } from '../support/watched-page.ts';

const wait = { timeout: 90_000 };
const small = [
  'train.steps=2',
  'train.batchSize=4',
  'train.sampleEvery=0',
  'train.checkpointEvery=0',
  'data.split=test',
  'model.width=32',
  'model.depth=1',
  'model.heads=2',
  'model.patchSize=7',
  'sample.steps=1',
  'sample.perClass=1',
  'heldOut.count=0',
  'backend.threads=1',
];
const config = 'data: { source: digits }\nmodel: { width: 32, depth: 1, heads: 2, patchSize: 7 }';

describe.skipIf(noBrowser)(`the form that begins trainings (${noBrowser ?? 'in chromium'})`, () => {
  let watched: WatchedPage;
  let runs: string;

  beforeAll(async () => {
    runs = join(await temporaryFolder(), 'runs');
    watched = await watchedPage(runs);
    watched.page.setDefaultTimeout(wait.timeout);
    await watched.go('/start');
  }, 60_000);
  afterAll(async () => {
    await watched?.close();
  });

  async function fill(text: string | undefined, settings: readonly string[]): Promise<void> {
    const { page } = watched;
    const choice = text === undefined ? /^digits/ : /^a config of your own/;
    await page.getByRole('radio', { name: choice }).first().check();
    if (text !== undefined) await page.getByRole('textbox', { name: 'Config', exact: true }).fill(text);
    await page.getByRole('textbox', { name: 'Settings that are other' }).fill(settings.join('\n'));
  }

  it.each([
    ['a recipe', undefined, 'by-recipe'],
    ['a config', config, 'by-config'],
  ])('begins one by %s, and leads to its run', { timeout: 120_000 }, async (_, text, name) => {
    const { page, go } = watched;
    await go('/start');
    await fill(text, [...small, `name=${name}`]);
    await page.getByRole('button', { name: 'Start training' }).click();
    const link = page.getByRole('link', { name, exact: true });
    await link.waitFor();
    await page.locator('li.started').filter({ has: link }).getByText('ended, exit code 0').waitFor();
    expect(existsSync(join(runs, name, 'metrics.jsonl'))).toBe(true);
    await link.click();
    await checkSeen(page.getByText('finished', { exact: true }));
    checkQuiet(watched);
  });

  it('shows what doctor, plan and the check of data find', { timeout: 240_000 }, async () => {
    const { page, go } = watched;
    await go('/start');
    await fill(config, small);
    const result = page.getByRole('region', { name: 'Result' });
    for (const [button, title, found] of [
      ['Doctor', 'Doctor', /node/i],
      ['Plan', 'Plan', /memory/i],
      ['Check the data', 'Data', /10,?000/],
    ] as const) {
      await page.getByRole('button', { name: button }).click();
      await result.getByRole('heading', { name: title, exact: true }).waitFor();
      await expect.poll(() => result.innerText()).toMatch(found);
      await expect.poll(() => result.getByRole('alert').count()).toBe(0);
    }
    checkQuiet(watched);
  });

  it('says beside the form what is wrong with a config', async () => {
    const { page, go } = watched;
    await go('/start');
    await fill('data: { source: digits }\nmodel: { depth: -1 }', []);
    await page.getByRole('button', { name: 'Start training' }).click();
    await checkSeen(page.getByRole('alert').getByText(/^the config: model\.depth: wanted .*, found -1/));
  });
});
