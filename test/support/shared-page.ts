// The page of a shared model in a headless browser, from a plain server of static files.
import { createReadStream, existsSync, statSync } from 'node:fs';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { type Browser, type BrowserContextOptions, type Page, chromium } from 'playwright-core';
import { findChromium } from './chromium.ts';

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
};

export interface SharedPage {
  readonly page: Page;
  /** What the console has shown of errors and warnings, and errors that nobody caught. */
  readonly complaints: readonly string[];
  close(): Promise<void>;
}

/**
 * @param folder that `shareRun` wrote; it lies below another path, as on many hosts
 * @param flags of the browser
 */
export async function sharedPage(
  folder: string,
  options: BrowserContextOptions = {},
  flags: readonly string[] = [],
): Promise<SharedPage> {
  const server: Server = createServer(({ url = '/' }, response) => {
    const path = new URL(url, 'http://localhost').pathname.replace(/^\/models\/one\//, '');
    const file = join(folder, path === '' ? 'index.html' : path);
    if (!url.startsWith('/models/one/') || !existsSync(file) || !statSync(file).isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream' });
    createReadStream(file).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  // Root has no sandbox; nothing of another machine is opened here.
  const browser: Browser = await chromium.launch({
    executablePath: findChromium()!,
    args: ['--no-sandbox', ...flags],
  });
  const context = await browser.newContext({ viewport: { width: 1100, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/models/one/`);
  return {
    page,
    complaints,
    close: async () => {
      await browser.close();
      server.close();
    },
  };
}
