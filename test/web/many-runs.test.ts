// A thousand runs in one table.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/cli.ts';
import { logLine, writeRun } from '../support/page.ts';
import { type WatchedPage, checkQuiet, checkSeen, noBrowser, watchedPage } from '../support/watched-page.ts';

const count = 1000;

describe.skipIf(noBrowser)(`a thousand runs (${noBrowser ?? 'in chromium'})`, () => {
  let watched: WatchedPage;

  beforeAll(async () => {
    const runs = join(await temporaryFolder(), 'runs');
    for (let i = 1; i <= count; i++) await writeRun(runs, `run-${i}`, { steps: 9, log: [logLine(i % 9)] });
    watched = await watchedPage(runs);
    watched.page.setDefaultTimeout(60_000);
  }, 120_000);
  afterAll(async () => {
    await watched?.close();
  });

  it('are all in the table, which is sorted and searched', { timeout: 120_000 }, async () => {
    const { page } = watched;
    const rows = page.locator('tbody tr');
    await expect.poll(() => rows.count(), { timeout: 60_000 }).toBe(count);
    await checkSeen(page.getByText(`${count} runs below`));
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await expect.poll(() => rows.first().innerText()).toMatch(/^\s*run-1\s/);
    await page.getByRole('searchbox', { name: 'Search runs' }).fill('run-999');
    await expect.poll(() => rows.count()).toBe(1);
    await page.getByRole('searchbox', { name: 'Search runs' }).fill('');
    await expect.poll(() => rows.count()).toBe(count);
    checkQuiet(watched);
  });
});
