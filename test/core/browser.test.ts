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
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { findChromium } from '../support/chromium.ts';
import { temporaryFolder } from '../support/cli.ts';
import { kernelBytes } from '../support/wasm.ts';
import { openTabs } from '../support/tabs.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const core = join(root, 'dist/core.js');
const steps = 20;
const longSteps = 40;
const onGpu = 'await webGpuBackend(navigator.gpu)';
const onWasm = "await wasmBackend('/kernels.wasm')";
const waiting = { timeout: 240_000, interval: 50 };
const gpuFlags = ['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'];

interface Trained {
  readonly losses: readonly number[];
  readonly heldOutLosses: readonly number[];
  readonly samples: readonly number[];
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

/** A worker's script, which tells of each checkpoint. @param backend an expression of what computes */
function workerOn(backend: string, count = steps): string {
  return `import { MemoryStore, wasmBackend, webGpuBackend } from '/core.js';
    import { trainAnywhere } from '/train.js';
    class TellingStore extends MemoryStore {
      async save(...given) {
        postMessage('saved');
        return super.save(...given);
      }
    }
    try { postMessage(await trainAnywhere(${count}, new TellingStore('lines'), ${backend})); }
    catch (error) { postMessage({ error: String(error.stack) }); }`;
}

async function inNode(count = steps): Promise<Trained> {
  const script = join(await temporaryFolder(), 'train.mjs');
  const call = `console.log(JSON.stringify(await trainAnywhere(${count})));`;
  await writeFile(script, `${await example(pathToFileURL(core).href)}\n${call}`);
  const { stdout } = await promisify(execFile)(process.execPath, [script]);
  return JSON.parse(stdout) as Trained;
}

const executable = findChromium();
const place = executable === undefined ? 'no chromium is installed: apt-get install chromium' : executable;

describe.skipIf(executable === undefined)(`in a worker of a page (${place})`, () => {
  let server: Server;
  let address: string;

  beforeAll(async () => {
    const files: Readonly<Record<string, readonly [type: string, content: string | Uint8Array]>> = {
      '/': ['text/html', '<!doctype html><title>rectiflow</title>'],
      '/core.js': ['text/javascript', await readFile(core, 'utf8')],
      '/train.js': ['text/javascript', await example('/core.js')],
      '/worker.js': ['text/javascript', workerOn('undefined')],
      '/kernels.wasm': ['application/wasm', kernelBytes()],
      '/wasm-worker.js': ['text/javascript', workerOn(onWasm)],
      '/gpu-worker.js': ['text/javascript', workerOn(onGpu)],
      '/long-worker.js': ['text/javascript', workerOn(onGpu, longSteps)],
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

  /** @param worker that trains, in a browser of its own */
  async function trainedBy(worker: string, flags: readonly string[]): Promise<Trained> {
    // Root has no sandbox; nothing of another machine is opened here.
    const browser = await chromium.launch({ executablePath: executable!, args: ['--no-sandbox', ...flags] });
    try {
      const page = await browser.newPage();
      await page.goto(address);
      const trained = await page.evaluate<Trained & { readonly error?: string }>(
        `new Promise((resolve) => {
          const worker = new Worker('${worker}', { type: 'module' });
          worker.onmessage = ({ data }) => data === 'saved' || resolve(data);
          worker.onerror = ({ message }) => resolve({ error: message });
        })`,
      );
      expect(trained.error).toBeUndefined();
      return trained;
    } finally {
      await browser.close();
    }
  }

  const near = (numbers: readonly number[], digits: number): unknown[] =>
    numbers.map((each) => expect.closeTo(each, digits));

  it(`trains ${steps} steps with the losses that they have in Node.js`, { timeout: 180_000 }, async () => {
    const [wanted, trained] = [await inNode(), await trainedBy('/worker.js', [])];
    expect(wanted.losses).toHaveLength(steps);
    expect(trained.losses).toEqual(near(wanted.losses, 6));
    expect(trained.heldOutLosses).toEqual(near(wanted.heldOutLosses, 6));
    expect(trained.samples).toEqual(near(wanted.samples, 5));
  });

  it(
    `trains ${steps} steps on WebAssembly with the same losses, and makes the same samples`,
    { timeout: 180_000 },
    async () => {
      const [wanted, trained] = [await inNode(), await trainedBy('/wasm-worker.js', [])];
      expect(wanted.losses).toHaveLength(steps);
      expect(trained.losses).toEqual(near(wanted.losses, 5));
      expect(trained.heldOutLosses).toEqual(near(wanted.heldOutLosses, 5));
      expect(trained.samples).toEqual(near(wanted.samples, 3));
    },
  );

  it(
    `trains ${steps} steps on WebGPU with the same losses, and makes the same samples`,
    { timeout: 180_000 },
    async () => {
      const [wanted, trained] = [await inNode(), await trainedBy('/gpu-worker.js', gpuFlags)];
      expect(wanted.losses).toHaveLength(steps);
      expect(wanted.samples).toHaveLength(2 * 2 * 64);
      expect(trained.losses).toEqual(near(wanted.losses, 5));
      expect(trained.heldOutLosses).toEqual(near(wanted.heldOutLosses, 5));
      expect(trained.samples).toEqual(near(wanted.samples, 3));
    },
  );

  it(
    'trains on WebGPU while the page is hidden behind another, to its end',
    { timeout: 300_000 },
    async () => {
      const tabs = await openTabs(executable!, gpuFlags);
      try {
        const page = await tabs.open(address);
        const told = <T>(index: string): Promise<T> => page.evaluate(`told.at(${index})`);
        await page.evaluate(`globalThis.told = [];
        globalThis.seen = [document.visibilityState];
        document.addEventListener('visibilitychange', () => seen.push(document.visibilityState));
        const worker = new Worker('/long-worker.js', { type: 'module' });
        worker.onmessage = ({ data }) => told.push(data);
        worker.onerror = ({ message }) => told.push({ error: message });`);
        await vi.waitUntil(() => told('-1'), waiting);
        await tabs.open(address);
        await vi.waitUntil(() => page.evaluate("seen.at(-1) === 'hidden'"), waiting);
        expect(await told('-1')).toBe('saved');
        await vi.waitUntil(async () => typeof (await told('-1')) === 'object', waiting);
        expect(await page.evaluate('seen')).toEqual(['visible', 'hidden']);
        const trained = await told<Trained & { readonly error?: string }>('-1');
        expect(trained.error).toBeUndefined();
        expect(trained.losses).toEqual(near((await inNode(longSteps)).losses, 4));
      } finally {
        await tabs.close();
      }
    },
  );
});
