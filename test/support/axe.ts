// What the checker axe finds on a page that is open in a browser.
import { createRequire } from 'node:module';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';

const axe = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

/** @param page whose context was made with `bypassCSP` @returns a line for each finding */
export async function axeFindings(page: Page): Promise<string[]> {
  if (!(await page.evaluate(`'axe' in window`))) await page.addScriptTag({ path: axe });
  const { violations } = await page.evaluate<AxeResults>('axe.run()');
  return violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}: ${nodes[0]?.failureSummary}`);
}

/** In light and dark: no findings, and nothing that is wider than the screen. @param page as `axeFindings` takes it */
export async function checkInBothColours(page: Page): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    expect(await axeFindings(page)).toEqual([]);
    const { width } = page.viewportSize()!;
    expect(await page.evaluate<number>('document.documentElement.scrollWidth')).toBe(width);
  }
}
