// Pieces of curves and heat maps that are looked at closer, on the page of a run and where runs are compared.
import { join } from 'node:path';
import type { Locator } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { axeFindings } from '../support/axe.ts';
import { temporaryFolder } from '../support/cli.ts';
import { logLine, writeRun } from '../support/page.ts';
import { type WatchedPage, checkQuiet, noBrowser, watchedPage } from '../support/watched-page.ts';

const records = 20_000;
const steps = Array.from({ length: records }, (_, i) => i + 1);

describe.skipIf(noBrowser)(`curves that are zoomed into (${noBrowser ?? 'in chromium'})`, () => {
  let watched: WatchedPage;

  beforeAll(async () => {
    const runs = join(await temporaryFolder(), 'runs');
    const more = (step: number) => ({ lossByTime: [1, 2, 3, step], gradNorm: step });
    await writeRun(runs, 'one', { steps: records, log: steps.map((step) => logLine(step, more(step))) });
    const slower = steps.map((step) => logLine(step, { seconds: step / 5, loss: 2 / step }));
    await writeRun(runs, 'slower', { steps: records, log: slower });
    watched = await watchedPage(runs, { bypassCSP: true });
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

  describe('as heat maps', () => {
    const map = (): Locator =>
      watched.page.getByRole('application', { name: /^Loss by time over step, 4 rows/ });
    const chart = (title: string): Locator =>
      watched.page.getByRole('application', { name: new RegExp(`^${title} over step`) });

    beforeAll(async () => {
      await watched.go('/run/one');
      await map().waitFor();
    });

    /** The steps that the map shows at its ends, by keyboard. */
    async function ends(): Promise<number[]> {
      const { page } = watched;
      const reading = page.locator('figure').filter({ has: map() }).locator('[aria-live]');
      const read = async (key: string): Promise<number> => {
        await page.keyboard.press(key);
        const [, step = ''] = /step ([\d,]+):/.exec(await reading.innerText()) ?? [];
        return Number(step.replaceAll(',', ''));
      };
      await map().focus();
      return [await read('Home'), await read('End')];
    }

    /** @throws where the map does not come to show about these steps */
    async function checkShown(from: number, to: number): Promise<void> {
      const isNear = ([first, last]: readonly number[]): boolean =>
        Math.abs(first! - from) < 300 && Math.abs(last! - to) < 300;
      await expect.poll(async () => isNear(await ends()), { timeout: 20_000 }).toBe(true);
    }

    /** @throws where the charts of lines do not begin at about this step */
    async function checkLines(from: number): Promise<void> {
      await expect
        .poll(async () => Math.abs((await firstPlaces())[0]! - from) < 300, { timeout: 20_000 })
        .toBe(true);
    }

    /** Over a share of the width. */
    async function drag(from: number, to: number): Promise<void> {
      const { page } = watched;
      await map().scrollIntoViewIfNeeded();
      const { x, y, width, height } = (await map().boundingBox())!;
      await page.mouse.move(x + width * from, y + height / 2);
      await page.mouse.down();
      await page.mouse.move(x + width * to, y + height / 2, { steps: 4 });
      await page.mouse.up();
    }

    it('are zoomed into by dragging, all charts with them', async () => {
      await checkShown(1, records);
      await drag(0.75, 0.25);
      await checkShown(records / 4, (records * 3) / 4);
      await checkLines(records / 4);
      // A click, which chooses nothing.
      await drag(0.5, 0.501);
      await checkShown(records / 4, (records * 3) / 4);
      await expect.poll(() => axeFindings(watched.page)).toEqual([]);
      await map().dblclick();
      await checkShown(1, records);
      checkQuiet(watched);
    });

    it('are zoomed into by keyboard, all charts with them', async () => {
      const { page } = watched;
      await checkShown(1, records);
      await map().focus();
      for (const key of ['End', '+', '+']) await page.keyboard.press(key);
      await checkShown((records * 3) / 4, records);
      await checkLines((records * 3) / 4);
      await map().focus();
      for (const key of ['End', '-']) await page.keyboard.press(key);
      await checkShown(records / 2, records);
      await map().focus();
      for (const key of ['End', '-']) await page.keyboard.press(key);
      await checkShown(1, records);
      checkQuiet(watched);
    });

    it('and lines show all again from any chart', async () => {
      const { page } = watched;
      await checkShown(1, records);
      for (const [there, key] of [
        [map(), 'Escape'],
        [chart('Gradient norm'), 'Escape'],
        [chart('Loss'), '0'],
        [map(), '0'],
      ] as const) {
        await drag(0.25, 0.75);
        await checkShown(records / 4, (records * 3) / 4);
        await there.focus();
        await page.keyboard.press(key);
        await checkShown(1, records);
      }
      checkQuiet(watched);
    });
  });
});
