// Pieces of curves that are looked at closer, on the page of a run and where runs are compared.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/cli.ts';
import { logLine, writeRun } from '../support/page.ts';
import { type WatchedPage, checkQuiet, noBrowser, watchedPage } from '../support/watched-page.ts';

const records = 20_000;
const steps = Array.from({ length: records }, (_, i) => i + 1);

describe.skipIf(noBrowser)(`curves that are zoomed into (${noBrowser ?? 'in chromium'})`, () => {
  let watched: WatchedPage;

  beforeAll(async () => {
    const runs = join(await temporaryFolder(), 'runs');
    await writeRun(runs, 'one', { steps: records, log: steps.map((step) => logLine(step)) });
    const slower = steps.map((step) => logLine(step, { seconds: step / 5, loss: 2 / step }));
    await writeRun(runs, 'slower', { steps: records, log: slower });
    watched = await watchedPage(runs);
    watched.page.setDefaultTimeout(20_000);
  }, 60_000);
  afterAll(async () => {
    await watched?.close();
  });

  /** The first two places that are shown, by keyboard. */
  async function firstPlaces(): Promise<number[]> {
    const { page } = watched;
    const loss = page.getByRole('application', { name: /^Loss over/ });
    const at = page.locator('figure').filter({ has: loss }).locator('.at');
    const read = async (key: string): Promise<number> => {
      await page.keyboard.press(key);
      return Number((await at.innerText()).replaceAll(/\D/g, ''));
    };
    await loss.focus();
    return [await read('Home'), await read('ArrowRight')];
  }

  /** How many records lie between them. */
  async function stride(): Promise<number> {
    const [first, second] = await firstPlaces();
    return second! - first!;
  }

  it.each(['/run/one', '/compare?runs=one&runs=slower'])('are finer there: %s', async (hash) => {
    const { page, go } = watched;
    await go(hash);
    const loss = page.getByRole('application', { name: /^Loss over step/ });
    await loss.waitFor();
    // The chart stands before its curves have come.
    await expect.poll(stride, { timeout: 10_000 }).toBeGreaterThan(10);
    await page.keyboard.press('End');
    for (let i = 0; i < 5; i++) await page.keyboard.press('+');
    await expect.poll(stride, { timeout: 10_000 }).toBe(1);
    await page.keyboard.press('0');
    await expect.poll(stride).toBeGreaterThan(10);
    checkQuiet(watched);
  });

  it('are asked for by the steps that each run did in that time', async () => {
    const { page, go } = watched;
    const asked = new Map<string, [from: number, to: number]>();
    page.on('request', (request) => {
      const { pathname, searchParams } = new URL(request.url());
      const [, run] = /runs\/(\w+)\/series/.exec(pathname) ?? [];
      if (run !== undefined && searchParams.has('from'))
        asked.set(run, [Number(searchParams.get('from')), Number(searchParams.get('to'))]);
    });
    await go('/compare?runs=one&runs=slower');
    await page.getByRole('button', { name: 'time', exact: true }).click();
    const loss = page.getByRole('application', { name: /^Loss over time/ });
    await loss.focus();
    await page.keyboard.press('Home');
    for (let i = 0; i < 5; i++) await page.keyboard.press('+');
    await expect.poll(() => [...asked.keys()].toSorted()).toEqual(['one', 'slower']);
    // In as many seconds one does twice as many.
    const ends = (): number => asked.get('one')![1] / asked.get('slower')![1];
    await expect.poll(ends).toBeCloseTo(2, 0);
    checkQuiet(watched);
  });
});
