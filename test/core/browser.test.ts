// The core in a real browser: examples/train-anywhere.ts in a worker of a page, with the losses that it has in Node.js.
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import { build } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findChromium } from '../support/chromium.ts';
import { temporaryFolder } from '../support/cli.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const core = join(root, 'dist/core.js');
const steps = 20;

interface Losses {
  readonly losses: readonly number[];
  readonly heldOutLosses: readonly number[];
}

/** The example as JavaScript. @param coreUrl where its host finds the core */
async function example(coreUrl: string): Promise<string> {
  const { output } = await build({
    input: join(root, 'examples/train-anywhere.ts'),
    external: ['rectiflow/core'],
    write: false,
    output: { format: 'esm', paths: { 'rectiflow/core': coreUrl } },
  });
  return output[0].code;
}

async function inNode(): Promise<Losses> {
  const script = join(await temporaryFolder(), 'train.mjs');
  const call = `console.log(JSON.stringify(await trainAnywhere(${steps})));`;
  await writeFile(script, `${await example(pathToFileURL(core).href)}\n${call}`);
  const { stdout } = await promisify(execFile)(process.execPath, [script]);
  return JSON.parse(stdout) as Losses;
}

const executable = findChromium();
const place = executable === undefined ? 'no chromium is installed: apt-get install chromium' : executable;

describe.skipIf(executable === undefined)(`in a worker of a page (${place})`, () => {
  let server: Server;
  let address: string;

  beforeAll(async () => {
    const files: Readonly<Record<string, readonly [type: string, content: string]>> = {
      '/': ['text/html', '<!doctype html><title>rectiflow</title>'],
      '/core.js': ['text/javascript', await readFile(core, 'utf8')],
      '/train.js': ['text/javascript', await example('/core.js')],
      '/worker.js': [
        'text/javascript',
        `import { trainAnywhere } from '/train.js';
        trainAnywhere(${steps}).then(postMessage, (error) => postMessage({ error: String(error.stack) }));`,
      ],
    };
    server = createServer(({ url = '' }, response) => {
      const [type, content] = files[url] ?? ['text/plain', undefined];
      response.writeHead(content === undefined ? 404 : 200, { 'content-type': type }).end(content);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });
  afterAll(() => {
    server.close();
  });

  it(`trains ${steps} steps with the losses that they have in Node.js`, { timeout: 180_000 }, async () => {
    const wanted = await inNode();
    // Root has no sandbox; nothing of another machine is opened here.
    const browser = await chromium.launch({ executablePath: executable!, args: ['--no-sandbox'] });
    try {
      const page = await browser.newPage();
      await page.goto(address);
      const trained = await page.evaluate<Losses & { readonly error?: string }>(
        `new Promise((resolve) => {
          const worker = new Worker('/worker.js', { type: 'module' });
          worker.onmessage = ({ data }) => resolve(data);
          worker.onerror = ({ message }) => resolve({ error: message });
        })`,
      );
      expect(trained.error).toBeUndefined();
      expect(wanted.losses).toHaveLength(steps);
      const compare = (found: readonly number[], inNodeJs: readonly number[]): void =>
        expect(found).toEqual(inNodeJs.map((loss) => expect.closeTo(loss, 6)));
      compare(trained.losses, wanted.losses);
      compare(trained.heldOutLosses, wanted.heldOutLosses);
    } finally {
      await browser.close();
    }
  });
});
