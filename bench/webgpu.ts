// WebGPU beside jax-js and TensorFlow.js, in one tab and in this process of Node.js: npm run bench:webgpu
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { build } from 'rolldown';
import { median, pairwiseRatios, spread } from './statistics.ts';
import { digits, markdownTable, ratio } from './table.ts';
import { cases } from './webgpu/cases.ts';
import type { Turn } from './webgpu/turn.ts';

const usage = `npm run bench:webgpu -- [--only TEXT] [--rounds N] [--seconds N] [--gpu]

  --only     cases whose name has this text
  --rounds   turns of each side (3)
  --seconds  of a turn, at least (1)
  --gpu      on the GPU of this machine; by default on SwiftShader, which is a program, so that all machines compare alike

It needs Debian's chromium (CHROMIUM_PATH says where another one is) and the peers:
  npm install --no-save @jax-js/jax @tensorflow/tfjs-core @tensorflow/tfjs-backend-webgpu`;

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '1' },
    gpu: { type: 'boolean', default: false },
  },
});
const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
const chosen = cases.flatMap(({ name }, i) => (name.includes(values.only) ? [i] : []));
if (chosen.length === 0 || !(Number.isInteger(rounds) && rounds >= 1) || !(seconds > 0)) {
  console.error(usage);
  process.exit(2);
}

const sides = ['rectiflow', 'jax-js', 'TensorFlow.js'] as const;
const hosts = ['tab', 'Node.js'] as const;
type Side = (typeof sides)[number];
type Host = (typeof hosts)[number];
const contestants = hosts.flatMap((host) =>
  sides.map((side) => ({ side, host, name: `${side} in ${host}` })),
);

if (!values.gpu) process.env['VK_ICD_FILENAMES'] ??= '/usr/lib/chromium/vk_swiftshader_icd.json';
const script = await bundle('browser');
const server = createServer((request, response) => {
  const isScript = request.url === '/page.js';
  response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
  response.end(
    isScript ? script : '<!doctype html><title>bench</title><script type="module" src="/page.js"></script>',
  );
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const adapter = values.gpu ? [] : ['--use-webgpu-adapter=swiftshader'];
const browser = await chromium.launch({
  executablePath: process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--enable-unsafe-webgpu', ...adapter],
});
const { gpu, turn: turnHere } = await hostHere();
try {
  const page = await browser.newPage();
  page.on('pageerror', (error) => console.error(error));
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  await page.waitForFunction('globalThis.turn !== undefined');
  const take: Readonly<Record<Host, (side: Side, index: number) => Promise<Turn>>> = {
    tab: (side, index) => page.evaluate<Turn>(`turn(${JSON.stringify(side)}, ${index}, ${seconds})`),
    'Node.js': (side, index) => turnHere(side, index, seconds),
  };
  const { info } = (await gpu.requestAdapter()) as GPUAdapter;
  console.log(`${info.description || info.device}; ${await browser.version()}; Node.js ${process.version}\n`);
  for (const index of chosen) {
    const turns = new Map<string, Turn[]>(contestants.map(({ name }) => [name, []]));
    for (let round = 0; round < rounds; round++)
      for (const { side, host, name } of round % 2 === 0 ? contestants : contestants.toReversed()) {
        const turn = await take[host](side, index);
        turns.get(name)!.push(turn);
        console.error(
          `${cases[index]!.name}: ${name} ${digits(median(turn.milliseconds))} ms, result ${turn.result}`,
        );
      }
    report(index, turns);
  }
} finally {
  await browser.close();
  server.close();
}
// Devices of three libraries are held, and would hold the process.
process.exit(0);

/** What is in the page, in this process. */
async function hostHere(): Promise<{
  readonly gpu: GPU;
  readonly turn: (side: Side, index: number, seconds: number) => Promise<Turn>;
}> {
  const name = 'webgpu';
  const { create, globals } = (await import(name)) as {
    readonly create: (flags: string[]) => GPU;
    readonly globals: object;
  };
  const navigator = { gpu: create([]), userAgent: '' };
  Object.assign(globalThis, globals);
  mapIterators();
  Object.defineProperty(globalThis, 'navigator', { value: navigator, configurable: true });
  const file = fileURLToPath(new URL('webgpu/bundled.mjs', import.meta.url));
  await writeFile(file, await bundle('node'));
  await import(pathToFileURL(file).href);
  return { gpu: navigator.gpu, turn: (globalThis as unknown as { turn: typeof turnHere }).turn };
}

/** jax-js asks iterators to map and to filter, which those of Node.js do from version 22 on. */
function mapIterators(): void {
  const prototype = Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())) as object;
  if ('map' in prototype) return;
  const added = {
    *map(this: Iterable<unknown>, change: (each: unknown, i: number) => unknown) {
      let i = 0;
      for (const each of this) yield change(each, i++);
    },
    *filter(this: Iterable<unknown>, isKept: (each: unknown, i: number) => boolean) {
      let i = 0;
      for (const each of this) if (isKept(each, i++)) yield each;
    },
  };
  for (const [name, value] of Object.entries(added))
    Object.defineProperty(prototype, name, { value, configurable: true, writable: true });
}

function report(index: number, turns: ReadonlyMap<string, readonly Turn[]>): void {
  const { name: title, flop } = cases[index]!;
  const timings = (name: string): (readonly number[])[] =>
    turns.get(name)!.map(({ milliseconds }) => milliseconds);
  const rows = contestants.map(({ side, host, name }) => {
    const ms = median(timings(name).flat());
    const [first] = turns.get(name)!;
    const own = timings(`rectiflow in ${host}`);
    return [
      name,
      digits(ms),
      digits(flop / ms / 1e6),
      digits(first!.cold ?? NaN),
      side === 'rectiflow' ? '' : ratio(spread(pairwiseRatios(own, timings(name)))),
      digits(first!.result),
    ];
  });
  const header = [
    title,
    'ms',
    'GFLOP/s',
    'first run, ms',
    'rectiflow there is so many times as fast',
    'result',
  ];
  console.log(`${markdownTable(header, rows).join('\n')}\n`);
}

/** The script of both hosts, with the core and the peers in it. */
async function bundle(platform: 'browser' | 'node'): Promise<string> {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  for (const peer of ['@jax-js/jax', '@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-webgpu']) {
    if (existsSync(`${root}node_modules/${peer}`)) continue;
    console.error(`${peer} is not installed.\n\n${usage}`);
    process.exit(2);
  }
  const { output } = await build({
    input: fileURLToPath(new URL('webgpu/page.js', import.meta.url)),
    platform,
    resolve: { alias: { 'rectiflow/core': `${root}dist/core.js` } },
    write: false,
    output: { format: 'esm', codeSplitting: false },
    logLevel: 'silent',
  });
  return output[0].code;
}
