// Runs that a browser keeps: its own storage in a worker of a page, from which the command line goes on.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { unzipSync } from 'fflate';
import { type Browser, type Page, chromium } from 'playwright-core';
import { build } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resume } from '../../src/api/train.ts';
import { referenceBackend } from '../../src/backends/reference/index.ts';
import { decodeSafetensors } from '../../src/formats/safetensors.ts';
import { latestCheckpoint } from '../../src/runs/checkpoint.ts';
import { readMetrics } from '../../src/runs/metrics-log.ts';
import { readRun } from '../../src/runs/run-folder.ts';
import { findChromium } from '../support/chromium.ts';
import { temporaryFolder } from '../support/cli.ts';
import { keptWorker } from '../support/kept-worker.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const executable = findChromium();
/** Browsers give back the locks of what has ended soon, not at once. */
const patient = { timeout: 10_000, interval: 20 };
const place = executable ?? 'no chromium is installed: apt-get install chromium';

describe.skipIf(executable === undefined)(`runs that a browser keeps (${place})`, () => {
  let server: Server;
  let browser: Browser;
  let port: number;

  beforeAll(async () => {
    const input = join(await temporaryFolder(), 'worker.mjs');
    await writeFile(input, keptWorker(root));
    const { output } = await build({
      input,
      platform: 'browser',
      cwd: root,
      write: false,
      output: { format: 'esm' },
    });
    server = createServer(({ url }, response) => {
      const [type, text] =
        url === '/worker.js'
          ? ['text/javascript', output[0].code]
          : ['text/html', '<!doctype html><title>runs</title>'];
      response.writeHead(200, { 'content-type': type }).end(text);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
    // Root has no sandbox; nothing of another machine is opened here.
    const args = ['--no-sandbox', '--host-resolver-rules=MAP pictures.test 127.0.0.1'];
    browser = await chromium.launch({ executablePath: executable!, args });
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    server.close();
  });

  /** A page with a worker, in a profile of its own by default. */
  async function tab(from?: Page, host = '127.0.0.1'): Promise<Page> {
    const page = from ? await from.context().newPage() : await (await browser.newContext()).newPage();
    await page.goto(`http://${host}:${port}/`);
    await page.evaluate(`
      globalThis.waiting = new Map();
      globalThis.saved = [];
      globalThis.begin = () => {
        globalThis.worker = new Worker('/worker.js', { type: 'module' });
        worker.onerror = ({ message }) => { for (const answer of waiting.values()) answer({ error: message }); };
        worker.onmessage = ({ data }) => data.saved ? saved.push(data.saved) : waiting.get(data.id)(data);
      };
      begin();
      globalThis.call = (...given) => new Promise((resolve) => {
        const id = Math.random();
        waiting.set(id, resolve);
        worker.postMessage([id, ...given]);
      });`);
    return page;
  }

  async function call<T>(page: Page, ...given: unknown[]): Promise<T> {
    const answer = await page.evaluate<{ value: T; error?: string }>(`call(...${JSON.stringify(given)})`);
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer.value;
  }

  async function unzipped(page: Page): Promise<string> {
    const folder = await temporaryFolder();
    const files = unzipSync(Buffer.from(await call<string>(page, 'zip'), 'base64'));
    for (const [name, bytes] of Object.entries(files)) {
      const path = join(folder, name);
      await mkdir(name.endsWith('/') ? path : dirname(path), { recursive: true });
      if (!name.endsWith('/')) await writeFile(path, bytes);
    }
    return folder;
  }

  it('has a folder as others have it', async () => {
    const page = await tab();
    const told = [[], [], undefined, null];
    const then = [['a', 'e'], ['c'], 4, null, [1, 2, 3, 4], [2, 3], [9], null, [5], []];
    expect(await call(page, 'folder')).toEqual([...told, ...then]);
  });

  it(
    'trains, goes on in the next visit, and is gone on with by the command line',
    { timeout: 120_000 },
    async () => {
      const page = await tab();
      expect(await call(page, 'start', 'pets')).toEqual({ path: 'pets', name: 'pets' });
      expect(await call(page, 'train', 4)).toEqual([]);
      await page.reload();
      const again = await tab(page);
      await call(again, 'open', 'pets');
      expect(await call(again, 'train', 6)).toEqual([]);
      const run = join(await unzipped(again), 'pets');
      expect((await readRun(run)).machine).toMatchObject({ host: 'a browser' });
      const notices: string[] = [];
      await resume(run, { backend: referenceBackend(), onNotice: (text) => notices.push(text) });
      expect(notices).toEqual([]);
      const { records } = await readMetrics(join(run, 'metrics.jsonl'));
      expect(records.map(({ step }) => step)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
      // The whole of it in the browser.
      await call(again, 'train', 12);
      const other = join(await unzipped(again), 'pets');
      const [mine, its] = await Promise.all(
        [run, other].map(async (of) => latestCheckpoint(join(of, 'checkpoints'))),
      );
      expect(mine!.step).toBe(12);
      const weights = (path: string): Promise<Buffer> => readFile(join(path, 'model.safetensors'));
      expect(decodeSafetensors(await weights(mine!.path), 'mine')).toEqual(
        decodeSafetensors(await weights(its!.path), 'its'),
      );
      const losses = async (of: string): Promise<number[]> =>
        (await readMetrics(join(of, 'metrics.jsonl'))).records.map(({ loss }) => loss as number);
      const wanted = await losses(run);
      expect(await losses(other)).toEqual(wanted.map((loss) => expect.closeTo(loss, 6)));
    },
  );

  it('is one tab’s at a time, and another is told', async () => {
    const page = await tab();
    await call(page, 'start', 'pets');
    const second = await tab(page);
    await expect(call(second, 'open', 'pets')).rejects.toThrow(
      'pets: is open in another tab. Go on with it there, or close that tab.',
    );
    await expect(call(second, 'remove', 'pets')).rejects.toThrow('pets: is open in another tab.');
    expect(await call(second, 'start', 'pets')).toMatchObject({ name: 'pets-2' });
    await page.close();
    await expect.poll(() => call(second, 'open', 'pets').catch(String), patient).toBe('pets');
    await expect(call(second, 'open', 'cats')).rejects.toThrow(
      'cats: is not kept by this browser. Choose one that is, or begin a new one.',
    );
  });

  it('is listed with its size, and removed', async () => {
    const page = await tab();
    await call(page, 'start', 'pets');
    await call(page, 'save', 3);
    const second = await tab(page);
    const [listed, ...others] = await call<{ bytes: number }[]>(second, 'list');
    expect(others).toEqual([]);
    expect(listed).toMatchObject({
      name: 'pets',
      step: 3,
      steps: 12,
      created: expect.stringMatching(/^20\d\d-/),
    });
    expect(listed!.bytes).toBeGreaterThan(14 * 64);
    const { used, most } = await call<{ used: number; most: number }>(page, 'room');
    expect(used).toBeGreaterThan(0);
    expect(most).toBeGreaterThan(used);
    await page.close();
    await expect.poll(() => call(second, 'remove', 'pets').catch(String), patient).toBeUndefined();
    expect(await call(second, 'list')).toEqual([]);
  });

  it('goes on from a whole checkpoint wherever the tab was closed', { timeout: 120_000 }, async () => {
    const page = await tab();
    await call(page, 'start', 'pets');
    const told: string[] = [];
    for (let round = 0; round < 6; round++) {
      await page.evaluate("saved.length = 0; void call('saveForever')");
      await page.waitForFunction('saved.length > 2');
      await page.waitForTimeout(7 * round);
      const step = await page.evaluate<number>('worker.terminate(); saved.at(-1)');
      await page.evaluate('begin()');
      await expect.poll(() => call(page, 'open', 'pets').catch(String), patient).toBe('pets');
      const found = await call<{ step: number; first: number; told: string[] }>(page, 'latest');
      expect(found.step).toBeGreaterThanOrEqual(step);
      expect(found.first).toBe(found.step);
      told.push(...found.told);
    }
    for (const text of told)
      expect(text).toMatch(/step-\d{7}\/state.json: is missing: the page was closed while/);
  });

  it('says where there is no room, and what was there remains', { timeout: 60_000 }, async () => {
    const page = await tab();
    const session = await page.context().newCDPSession(page);
    await call(page, 'start', 'pets');
    await call(page, 'save', 1);
    const origin = new URL(page.url()).origin;
    await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 2e6 });
    await expect(call(page, 'tooLarge', 2)).rejects.toThrow(
      'pets/checkpoints/step-0000002: the checkpoint cannot be saved: the browser has no room for 8.0 MB more of this page; ' +
        'earlier ones, up to step-0000001, are untouched. Download the run, then remove runs that are kept here',
    );
    expect(await call(page, 'latest')).toMatchObject({ step: 1, told: [], steps: [1] });
  });

  it('is refused on a page of http:, which has neither storage nor checksums', async () => {
    const page = await tab(undefined, 'pictures.test');
    await expect(call(page, 'start', 'pets')).rejects.toThrow(
      'this page: is of http:, and browsers give such a page neither storage nor checksums. Open it by https:, or from localhost.',
    );
  });

  it('is lost with the tab where the browser has no storage, and says so', { timeout: 60_000 }, async () => {
    const page = await tab();
    await page.context().route('**/worker.js', async (route) => {
      const response = await route.fetch();
      const body = `navigator.storage.getDirectory = () => Promise.reject(new Error('not here'));\n${await response.text()}`;
      await route.fulfill({ response, body });
    });
    await page.evaluate('begin()');
    expect(await call(page, 'start', 'pets')).toEqual({
      path: 'pets',
      name: 'pets',
      lostBecause: 'this browser gives the page no storage (not here)',
    });
    await call(page, 'train', 3);
    expect(await call(page, 'latest')).toMatchObject({ step: 3 });
    expect(await call(page, 'list')).toMatchObject([{ name: 'pets', step: 3 }]);
    expect(join(await unzipped(page), 'pets')).toBeTruthy();
  });
});
