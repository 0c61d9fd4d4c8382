// The page for everybody: read by machines, used by keyboard, on narrow screens, in the dark.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { axeFindings } from '../support/axe.ts';
import {
  type WatchedPage,
  checkQuiet,
  copyRun,
  noBrowser,
  trainedRuns,
  watchedPage,
} from '../support/watched-page.ts';

/** Each page, and what is there when it is, and not on the page before. */
const pages: readonly (readonly [hash: string, seen: string])[] = [
  ['/', 'tbody img'],
  ['/run/digits', '.u-wrap canvas'],
  ['/run/digits/samples', 'canvas[data-step]'],
  ['/run/digits/make', 'h2:text-is("Make samples")'],
  ['/run/digits/steer', 'h2:text-is("Change settings")'],
  ['/run/digits/notices', 'ol li'],
  ['/run/digits/settings', 'summary'],
  ['/run/digits/files', 'h2:text-is("Checkpoints")'],
  ['/compare?runs=digits&runs=other', 'tbody th[scope=row]'],
  ['/start', 'input[type=radio][value=digits]'],
  ['/no-such-page', 'h1:text-is("There is no such page")'],
];

describe.skipIf(noBrowser)(`the page for everybody (${noBrowser ?? 'in chromium'})`, () => {
  let runs: string;
  const open: WatchedPage[] = [];

  beforeAll(async () => {
    runs = await trainedRuns();
    await copyRun(runs, 'digits', 'other', (config) => {
      config['train']!['batchSize'] = 9;
    });
  }, 120_000);
  afterAll(async () => {
    await Promise.all(open.map((each) => each.close()));
  });

  async function opened(options: Parameters<typeof watchedPage>[1]): Promise<WatchedPage> {
    const watched = await watchedPage(runs, options);
    watched.page.setDefaultTimeout(20_000);
    open.push(watched);
    return watched;
  }

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`has no finding of axe on any page, ${colorScheme}`, { timeout: 120_000 }, async () => {
      const watched = await opened({ colorScheme, reducedMotion: 'reduce', bypassCSP: true });
      const { page, go } = watched;
      for (const [hash, seen] of pages) {
        await go(hash);
        await page.locator(seen).first().waitFor();
        expect([hash, ...(await axeFindings(page))]).toEqual([hash]);
      }
      checkQuiet(watched);
    });
  }

  it('fits on screens 360 wide: nothing is cut off', { timeout: 120_000 }, async () => {
    const watched = await opened({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
    const { page, go } = watched;
    for (const [hash, seen] of pages) {
      await go(hash);
      await page.locator(seen).first().waitFor();
      const width = await page.evaluate<number>('document.documentElement.scrollWidth');
      expect([hash, width]).toEqual([hash, 360]);
    }
    checkQuiet(watched);
  });

  it('is used from the list to a run and its samples by keyboard alone', async () => {
    const { page } = await opened({});
    await page.getByRole('link', { name: 'digits', exact: true }).waitFor();
    const focus = async (name: string): Promise<void> => {
      for (let i = 0; i < 60; i++) {
        // The main part of the page is focused too, and holds every text.
        const text = await page.evaluate<string>(
          `(({ tagName, textContent, ariaLabel }) => tagName === 'MAIN' ? '' : textContent + (ariaLabel ?? ''))(document.activeElement)`,
        );
        if (text.startsWith(name)) return;
        await page.keyboard.press('Tab');
      }
      throw new Error(`Tab never came to ${name}`);
    };
    await page.keyboard.press('Tab');
    await focus('Skip to the content');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Tab');
    await focus('digits');
    await page.keyboard.press('Enter');
    await page.locator('.u-wrap canvas').first().waitFor();
    await expect.poll(() => page.evaluate('document.activeElement.tagName')).toBe('MAIN');
    await focus('Samples');
    const ring = await page.evaluate<string>('getComputedStyle(document.activeElement).outlineStyle');
    expect(ring).not.toBe('none');
    await page.keyboard.press('Enter');
    await focus('Step of the picture');
    await page.keyboard.press('Home');
    await expect.poll(() => page.locator('canvas[role=img]').getAttribute('data-step')).toBe('6');
  });

  it('is light or dark as the system, or as it was chosen, also when it is loaded again', async () => {
    const { page } = await opened({ colorScheme: 'dark' });
    const ground = (): Promise<string> =>
      page.evaluate('getComputedStyle(document.documentElement).backgroundColor');
    const dark = await ground();
    await page.getByRole('combobox', { name: 'Colours' }).selectOption('light');
    await expect.poll(ground).not.toBe(dark);
    const light = await ground();
    await page.reload();
    await page.getByRole('heading', { name: 'Runs', exact: true }).waitFor();
    await expect.poll(() => ground()).toBe(light);
    await page.getByRole('combobox', { name: 'Colours' }).selectOption('system');
    await expect.poll(() => ground()).toBe(dark);
  });
});
