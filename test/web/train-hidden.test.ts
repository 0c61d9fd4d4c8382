// A training whose tab is hidden: it goes on, and nothing is drawn that nobody sees.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HiddenPace } from '../../web/share/train/hidden-pace.ts';
import { findChromium } from '../support/chromium.ts';
import { temporaryFolder } from '../support/cli.ts';
import { type SharedPage, sharedPage } from '../support/shared-page.ts';
import { type Tab, type Tabs, openTabs } from '../support/tabs.ts';
import { stripesPage } from '../support/train-panel.ts';
import { noBrowser } from '../support/watched-page.ts';

const patient = { timeout: 60_000 };

describe.skipIf(noBrowser)(`a training in a hidden tab (${noBrowser ?? 'in chromium'})`, () => {
  let shared: SharedPage;
  let tabs: Tabs;

  beforeAll(async () => {
    const folder = await temporaryFolder();
    shared = await sharedPage(await stripesPage(folder, join(folder, 'site')));
    tabs = await openTabs(findChromium()!, []);
  }, 120_000);
  afterAll(async () => {
    await tabs.close();
    await shared.close();
  });

  const click = (tab: Tab, name: string): Promise<void> =>
    tab.evaluate(
      `[...document.querySelectorAll('button')].find((each) => each.innerText === '${name}').click()`,
    );
  const textOf = (tab: Tab): Promise<string> => tab.evaluate('document.body.innerText');
  const stepOf = async (tab: Tab): Promise<number> =>
    Number(/step ([\d,]+) of 1,500/.exec(await textOf(tab))?.[1]?.replace(',', '') ?? 0);
  /** How often a chart was drawn. */
  const drawn = (tab: Tab): Promise<number> => tab.evaluate('drawn');

  it('goes on, and its chart is drawn when it is seen again', { timeout: 180_000 }, async () => {
    const tab = await tabs.open(shared.page.url());
    await tab.evaluate(`{
      globalThis.drawn = 0;
      const { clearRect } = CanvasRenderingContext2D.prototype;
      CanvasRenderingContext2D.prototype.clearRect = function (...box) {
        drawn++;
        return clearRect.apply(this, box);
      };
    }`);
    await expect.poll(() => textOf(tab), patient).toContain('Draw discs and squares');
    await click(tab, 'Draw discs and squares');
    await expect.poll(() => textOf(tab), patient).toContain('A model of');
    await click(tab, 'Train');
    await tab.evaluate("document.querySelector('[aria-label=Train]').scrollIntoView({ block: 'end' })");
    await expect.poll(() => stepOf(tab), patient).toBeGreaterThan(2);
    await tab.evaluate("document.querySelector('.uplot').scrollIntoView()");
    const before = await drawn(tab);
    await expect.poll(() => drawn(tab), patient).toBeGreaterThan(before);

    await tabs.open('about:blank');
    await expect.poll(() => tab.evaluate('document.visibilityState'), patient).toBe('hidden');
    const [hiddenAt, drawnAt] = [await stepOf(tab), await drawn(tab)];
    await expect.poll(() => stepOf(tab), patient).toBeGreaterThan(hiddenAt + 5);
    expect(await drawn(tab)).toBe(drawnAt);

    await tab.show();
    await expect.poll(() => tab.evaluate('document.visibilityState'), patient).toBe('visible');
    await expect.poll(() => drawn(tab), patient).toBeGreaterThan(drawnAt);
  });
});

describe('the pace of a hidden training', () => {
  function told(steps: readonly (readonly [samplesPerSecond: number, isHidden: boolean])[]): string[] {
    const pace = new HiddenPace();
    return steps.flatMap(([samplesPerSecond, isHidden]) => pace.add(samplesPerSecond, isHidden) ?? []);
  }
  const shown = [100, false] as const;
  const hidden = (samplesPerSecond: number) => [samplesPerSecond, true] as const;

  it('is told once where it was much slower, in seconds, not in samples a second', () => {
    const slow = [hidden(20), hidden(20), hidden(20)];
    // The step that ends in sight counts, too: 0.05 x 3 and 0.01 s of 4.
    const text = expect.stringMatching(/^While the tab was hidden, training was 4\.0 times slower/);
    expect(told([shown, shown, shown, ...slow, shown, shown, shown])).toEqual([text]);
    // It was frozen in one of the steps.
    expect(told([shown, shown, shown, hidden(100), hidden(100), [1, false]])).toHaveLength(1);
    expect(told([shown, shown, shown, ...slow, shown, shown, ...slow, shown])).toHaveLength(2);
  });

  it('is not told where it was nearly the same, or too little is known', () => {
    expect(told([shown, shown, shown, hidden(60), hidden(60), hidden(60), shown])).toEqual([]);
    expect(told([shown, shown, hidden(1), hidden(1), hidden(1), shown])).toEqual([]);
    expect(told([shown, shown, shown, hidden(1), shown])).toEqual([]);
    expect(told([hidden(1), hidden(1), hidden(1), hidden(1)])).toEqual([]);
  });
});
