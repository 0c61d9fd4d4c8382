// The page of `rectiflow watch` in a headless browser: built, served as users have it, with the token of its link.
import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, type Locator, type Page, chromium } from 'playwright-core';
import { expect } from 'vitest';
import { train } from '../../src/api/train.ts';
import type { ConfigInput } from '../../src/config/config.ts';
import { type WatchServer, watchRuns } from '../../src/page/watch.ts';
import { findChromium } from './chromium.ts';
import { temporaryFolder } from './cli.ts';
import { tinyDigits } from './tiny-run.ts';

const executable = findChromium();
/** Why tests of the page are skipped; undefined where they run. */
export const noBrowser: string | undefined =
  executable === undefined ? 'no chromium is installed: apt-get install chromium' : undefined;

/** A run of digits with samples, paths, held-out losses and gradient norms, in a second. */
export const shownDigits = {
  ...tinyDigits,
  name: 'digits',
  train: { ...tinyDigits.train, steps: 24, logEvery: 1, sampleEvery: 6, checkpointEvery: 12 },
  heldOut: { count: 8, every: 6 },
} as const satisfies ConfigInput;

/** Trains it into a folder of runs, and writes what a longer one would have said. @returns the folder of runs */
export async function trainedRuns(): Promise<string> {
  const runs = join(await temporaryFolder(), 'runs');
  await train(shownDigits, { runs });
  await writeFile(join(runs, 'digits/notices.log'), 'step 7: The loss does not fall.\n');
  return runs;
}

/** A copy of a run by another name. @param change of its settings */
export async function copyRun(
  runs: string,
  from: string,
  to: string,
  change: (config: Record<string, Record<string, unknown>>) => void = () => {},
): Promise<void> {
  await cp(join(runs, from), join(runs, to), { recursive: true });
  const path = join(runs, to, 'config.json');
  const saved = JSON.parse(await readFile(path, 'utf8')) as {
    created: string;
    config: Record<string, Record<string, unknown>>;
  };
  change(saved.config);
  await writeFile(path, JSON.stringify(saved));
}

/** A page in a browser, which keeps what it complains of. */
export interface WatchedPage {
  readonly page: Page;
  readonly server: WatchServer;
  /** What the console has shown of errors and warnings, violations of the policy among them, and errors that nobody caught. */
  readonly complaints: readonly string[];
  /** Goes to a page by its hash, as `/run/digits`. */
  go(hash: string): Promise<void>;
  close(): Promise<void>;
}

export async function watchedPage(runs: string, options: BrowserContextOptions = {}): Promise<WatchedPage> {
  const server = await watchRuns({ runs });
  // Root has no sandbox; nothing of another machine is opened here.
  const browser: Browser = await chromium.launch({ executablePath: executable!, args: ['--no-sandbox'] });
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('dialog', (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.goto(server.url);
  return {
    page,
    server,
    complaints,
    go: async (hash) => {
      await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
    },
    close: async () => {
      await browser.close();
      await server.close();
    },
  };
}

/** How many pixels of a canvas are drawn, and in how many colours. */
export async function inkOf(page: Page, selector: string): Promise<{ pixels: number; colours: number }> {
  return page
    .locator(selector)
    .first()
    .evaluate((element) => {
      const canvas = element as unknown as {
        width: number;
        height: number;
        getContext(kind: '2d'): { getImageData(...box: number[]): { data: Uint8ClampedArray } };
      };
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      const seen = new Set<number>();
      let pixels = 0;
      for (let i = 0; i < data.length; i += 4) {
        const isDrawn = data[i + 3]! > 0;
        if (!isDrawn) continue;
        pixels++;
        seen.add((data[i]! << 16) | (data[i + 1]! << 8) | data[i + 2]!);
      }
      return { pixels, colours: seen.size };
    });
}

/** Waits until it is there. @throws where it does not come */
export async function checkSeen(
  locator: Locator,
  options: { timeout?: number; state?: 'attached' } = {},
): Promise<void> {
  await locator.waitFor(options);
}

/** @throws where the page complained of anything */
export function checkQuiet(watched: WatchedPage): void {
  expect(watched.complaints).toEqual([]);
}
