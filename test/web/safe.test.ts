// Names, texts and captions that others have written are shown as text, whatever is in them.
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { payloads } from '../support/payloads.ts';
import {
  type WatchedPage,
  checkQuiet,
  checkSeen,
  copyRun,
  noBrowser,
  trainedRuns,
  watchedPage,
} from '../support/watched-page.ts';

/** A folder's name cannot hold these, nor be longer than 255 bytes. */
const asName = (payload: string): string =>
  Buffer.from(payload.replaceAll('/', '∕').replaceAll('\0', ''))
    .subarray(0, 200)
    .toString()
    .replaceAll('\uFFFD', '');

describe.skipIf(noBrowser)(`what others have written (${noBrowser ?? 'in chromium'})`, () => {
  let watched: WatchedPage;
  let runs: string;

  beforeAll(async () => {
    runs = await trainedRuns();
    await copyRun(runs, 'digits', 'evil', (config) => {
      config['data']!['path'] = payloads[0];
      config['sample']!['prompts'] = payloads;
      config['optimizer']!['<img src=x onerror=hit()>'] = payloads[1];
    });
    const notices = payloads.map((payload) => `step 3: ${payload.replaceAll(/[\n\r]/g, ' ')}\n`);
    await writeFile(join(runs, 'evil/notices.log'), notices.join(''));
    const log = join(runs, 'evil/metrics.jsonl');
    const [line = ''] = (await readFile(log, 'utf8')).split('\n');
    const record = { ...JSON.parse(line), step: 25, '<img src=x onerror=hit()>': 1, '__proto__.x': 2 };
    await writeFile(log, `${await readFile(log, 'utf8')}${JSON.stringify(record)}\n`);
    for (const payload of payloads) {
      const name = asName(payload);
      await mkdir(join(runs, name), { recursive: true });
      await writeFile(join(runs, name, 'config.json'), `{"config": {"name": ${JSON.stringify(payload)}`);
    }
    watched = await watchedPage(runs);
    watched.page.setDefaultTimeout(20_000);
    await watched.page.evaluate('window.hit = () => { window.wasHit = true; }');
  }, 120_000);
  afterAll(async () => {
    await watched?.close();
  });

  /** @throws where a payload did anything but stand there */
  async function checkHarmless(): Promise<void> {
    const found = await watched.page.evaluate(`({
      hit: window.wasHit === true || Object.prototype.x !== undefined,
      made: [...document.querySelectorAll('script:not([type=module]), iframe, object, embed, svg, math, form[action], base')].map((each) => each.outerHTML),
      images: [...document.images].map((each) => each.getAttribute('src')).filter((src) => !src.startsWith('blob:')),
      links: [...document.links].map((each) => each.getAttribute('href')).filter((href) => !/^(#|blob:)/.test(href)),
      handlers: [...document.querySelectorAll('*')].flatMap((each) => each.getAttributeNames()).filter((name) => name.startsWith('on')),
    })`);
    expect(found).toEqual({ hit: false, made: [], images: [], links: [], handlers: [] });
    checkQuiet(watched);
  }

  it(`has ${payloads.length} payloads`, () => {
    expect(payloads.length).toBeGreaterThanOrEqual(50);
    expect(new Set(payloads).size).toBe(payloads.length);
  });

  it('as names of runs', async () => {
    const { page } = watched;
    await expect.poll(() => page.locator('tbody tr').count()).toBeGreaterThan(40);
    await expect.poll(() => page.locator('tbody').innerText()).toContain('<img src=x onerror=hit()>');
    await checkHarmless();
  });

  it('as notices, fields of the log, settings and prompts', async () => {
    const { page, go } = watched;
    await go('/run/evil/notices');
    await expect.poll(() => page.locator('ol li').count()).toBe(payloads.length);
    await checkHarmless();
    await go('/run/evil');
    await page.getByRole('application', { name: /^Loss over/ }).waitFor();
    await checkHarmless();
    await go('/run/evil/settings');
    await page.locator('summary', { hasText: 'timeSampling' }).waitFor();
    await checkHarmless();
    await go('/run/evil/make');
    await page.getByRole('heading', { name: 'Make samples' }).waitFor();
    await checkHarmless();
  });

  it('as the page of a run, and among those that are compared', async () => {
    const { page, go } = watched;
    const name = asName(payloads[0]!);
    const bold = asName('digits <b>bold</b>');
    await rename(join(runs, 'digits'), join(runs, bold));
    for (const run of [name, bold]) {
      await go(`/run/${encodeURIComponent(run)}`);
      await page.getByRole('heading', { name: run, exact: true }).waitFor();
    }
    await checkHarmless();
    await go(
      `/compare?${new URLSearchParams([
        ['runs', 'evil'],
        ['runs', bold],
      ])}`,
    );
    await page.getByRole('heading', { name: 'Settings that differ' }).waitFor();
    await checkHarmless();
  });

  it('names that hide what they are show it', async () => {
    const { page, go } = watched;
    await go('/');
    await page.getByRole('searchbox').fill('exe');
    await checkSeen(page.getByText('photo<U+202E>gnp.exe'));
  });
});
