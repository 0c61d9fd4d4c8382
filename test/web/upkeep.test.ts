// What a page does beside a training: it draws what is looked at, and nothing while nobody looks.
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/cli.ts';
import { logLine, writeRun } from '../support/page.ts';
import { type WatchedPage, checkQuiet, noBrowser, watchedPage } from '../support/watched-page.ts';

const wait = { timeout: 20_000 };
/** In groups of their own, so that each has a chart. */
const more = { gradNorm: 1, learningRate: 1e-4, samplesPerSecond: 9, updateRatio: 1, mfu: 0.5, memory: 1e6 };

describe.skipIf(noBrowser)(`a page beside a training (${noBrowser ?? 'in chromium'})`, () => {
  let watched: WatchedPage;
  let log: string;
  let step = 0;
  const line = (): string => `${logLine(++step, more)}\n`;

  beforeAll(async () => {
    const runs = join(await temporaryFolder(), 'runs');
    const run = await writeRun(runs, 'one', { steps: 1000 });
    log = join(run, 'metrics.jsonl');
    await appendFile(log, Array.from({ length: 60 }, line).join(''));
    watched = await watchedPage(runs, { viewport: { width: 500, height: 500 } });
    watched.page.setDefaultTimeout(20_000);
    await watched.page.evaluate(`
      window.drawn = [];
      const { clearRect } = CanvasRenderingContext2D.prototype;
      CanvasRenderingContext2D.prototype.clearRect = function (...box) {
        drawn.push(this.canvas.closest('figure')?.querySelector('h2')?.textContent);
        return clearRect.apply(this, box);
      };
    `);
    await watched.go('/run/one');
    await watched.page.getByRole('application').last().waitFor();
  }, 60_000);
  afterAll(async () => {
    await watched?.close();
  });

  /** Titles of the charts that are drawn until the page tells of a new record. */
  async function drawnWith(record: string): Promise<string[]> {
    const { page } = watched;
    await page.evaluate('window.drawn = []');
    await appendFile(log, record);
    const facts = page.locator('dl.facts');
    await expect.poll(() => facts.innerText(), wait).toMatch(new RegExp(`^Step\\s+${step} of`));
    await expect.poll(() => page.evaluate('drawn.length'), wait).toBeGreaterThan(0);
    return [...new Set(await page.evaluate<string[]>('drawn'))];
  }

  it('draws the charts that are on the screen, and others when they come there', async () => {
    const { page } = watched;
    const charts = page.getByRole('application');
    const last = charts.last();
    const [title] = /^.*(?= over )/.exec((await last.getAttribute('aria-label'))!)!;
    // What is off the screen is known to be only once the browser has looked.
    await expect.poll(() => drawnWith(line()), wait).not.toContain(title);
    await expect.poll(() => drawnWith(line())).toContain('Loss');
    await last.focus();
    const lastRead = async (): Promise<string> => {
      await page.keyboard.press('End');
      return page.locator('figure').last().locator('.at').innerText();
    };
    await expect.poll(lastRead, wait).toBe(`step ${step}`);
    await expect.poll(() => drawnWith(line())).toContain(title);
    checkQuiet(watched);
  });

  it('takes in what was logged while its tab was hidden when it is seen again', async () => {
    const { page } = watched;
    const facts = page.locator('dl.facts');
    const show = (isShown: boolean): Promise<unknown> =>
      page.evaluate(`
        Object.defineProperty(document, 'hidden', { configurable: true, get: () => ${!isShown} });
        document.dispatchEvent(new Event('visibilitychange'));
      `);
    await show(false);
    const before = await facts.innerText();
    // A tab that is seen tells of two records, one after the other: by then the hidden one has heard of the first long since.
    const other = await page.context().newPage();
    await other.goto(`${new URL(page.url()).origin}/#/run/one`);
    for (let i = 0; i < 2; i++) {
      await appendFile(log, line());
      const seen = other.locator('dl.facts');
      await expect.poll(() => seen.innerText(), wait).toMatch(new RegExp(`^Step\\s+${step} of`));
    }
    await other.close();
    expect(await facts.innerText()).toBe(before);
    await show(true);
    await expect.poll(() => facts.innerText(), wait).toMatch(new RegExp(`^Step\\s+${step} of`));
    checkQuiet(watched);
  });
});
