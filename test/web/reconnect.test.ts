// A page whose server goes and comes back, and logs that are cut or grow faster than they are told.
import { appendFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type WatchServer, watchRuns } from '../../src/page/watch.ts';
import { temporaryFolder } from '../support/cli.ts';
import { logLine, writeRun } from '../support/page.ts';
import { type WatchedPage, checkSeen, noBrowser, watchedPage } from '../support/watched-page.ts';

const wait = { timeout: 30_000 };
const lines = [1, 2, 3, 4, 5, 6].map((step) => `${logLine(step)}\n`);

describe.skipIf(noBrowser)(
  `a page that lost its server, or its place (${noBrowser ?? 'in chromium'})`,
  () => {
    let watched: WatchedPage;
    let runs: string;
    let log: string;
    let again: WatchServer | undefined;

    beforeAll(async () => {
      runs = join(await temporaryFolder(), 'runs');
      log = join(await writeRun(runs, 'one', { steps: 100_000 }), 'metrics.jsonl');
      await appendFile(log, lines.join(''));
      watched = await watchedPage(runs);
      watched.page.setDefaultTimeout(wait.timeout);
      await watched.go('/run/one');
      await watched.page.getByRole('application', { name: /^Loss over step/ }).waitFor();
    }, 60_000);
    afterAll(async () => {
      await watched?.close();
      await again?.close();
    });

    /** The last step that the curve of the loss has. */
    async function lastOfCurve(): Promise<string> {
      const { page } = watched;
      const loss = page.getByRole('application', { name: /^Loss over step/ });
      await loss.focus();
      await page.keyboard.press('End');
      return page.locator('figure').filter({ has: loss }).locator('.at').innerText();
    }

    it('draws the curves anew where the log was cut', async () => {
      await expect.poll(lastOfCurve, wait).toBe('step 6');
      await truncate(log, lines.slice(0, 4).join('').length);
      await expect.poll(lastOfCurve, wait).toBe('step 4');
      await appendFile(log, lines[4]!);
      await expect.poll(lastOfCurve, wait).toBe('step 5');
    });

    it('draws them anew where more was logged than is told one by one', async () => {
      const many = Array.from(
        { length: 20_000 },
        (_, i) => `${logLine(i + 6, { filler: 'x'.repeat(60) })}\n`,
      );
      await appendFile(log, many.join(''));
      await expect.poll(lastOfCurve, wait).toBe('step 20,005');
    });

    it('says that its server is gone, what one that was started again wants, and goes on without being loaded anew', async () => {
      const { page, server } = watched;
      await page.evaluate('window.isSame = true');
      const port = Number(new URL(server.url).port);
      await server.close();
      const status = page.getByRole('status');
      await checkSeen(status.getByText('connection lost, trying again…'));
      again = await watchRuns({ runs, port });
      await checkSeen(status.getByText('This page needs the link'));
      await appendFile(log, `${logLine(30_000)}\n`);
      const other = await page.context().newPage();
      await other.goto(again.url);
      await other.getByRole('link', { name: 'one', exact: true }).waitFor();
      await other.close();
      await expect.poll(() => page.locator('dl.facts').innerText(), wait).toMatch(/^Step\s+30,000/);
      await expect.poll(() => status.getByText('This page needs the link').count()).toBe(0);
      expect(await page.evaluate('window.isSame')).toBe(true);
    }, 90_000);
  },
);
