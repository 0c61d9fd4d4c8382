// WebGPU beside jax-js and TensorFlow.js, in one tab, and beside itself in Node.js: npm run bench:webgpu
import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { nodeWebGpuBackend } from 'rectiflow';
import { build } from 'rolldown';
import { median, pairwiseRatios, spread } from './statistics.ts';
import { digits, markdownTable, ratio } from './table.ts';
import { type Contestant, cases, numbersOf } from './webgpu/cases.ts';
import { ours } from './webgpu/ours.ts';
import { type Turn, takeTurn } from './webgpu/turn.ts';

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

const inTab = ['rectiflow', 'jax-js', 'TensorFlow.js'] as const;
const here = 'rectiflow in Node.js';
const names = [...inTab, here];
type Name = (typeof names)[number];

if (!values.gpu) process.env['VK_ICD_FILENAMES'] ??= '/usr/lib/chromium/vk_swiftshader_icd.json';
const script = await bundlePage();
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
const backend = await nodeWebGpuBackend();
try {
  const page = await browser.newPage();
  page.on('pageerror', (error) => console.error(error));
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  await page.waitForFunction('globalThis.turn !== undefined');
  console.log(`${backend.describe()}; ${await browser.version()}\n`);
  const contestants = new Map<number, Contestant>();
  for (const index of chosen) {
    const turns = new Map<Name, Turn[]>(names.map((name) => [name, []]));
    for (let round = 0; round < rounds; round++)
      for (const name of round % 2 === 0 ? names : names.toReversed()) {
        const turn =
          name === here
            ? await turnHere(contestants, index)
            : await page.evaluate<Turn>(`turn(${JSON.stringify(name)}, ${index}, ${seconds})`);
        turns.get(name)!.push(turn);
        console.error(
          `${cases[index]!.name}: ${name} ${digits(median(turn.milliseconds))} ms, result ${turn.result}`,
        );
      }
    report(index, turns);
  }
} finally {
  await backend.dispose();
  await browser.close();
  server.close();
}

async function turnHere(contestants: Map<number, Contestant>, index: number): Promise<Turn> {
  const of = cases[index]!;
  const known = contestants.get(index);
  const began = performance.now();
  const contestant = known ?? (await ours(backend)(of, numbersOf(of)));
  contestants.set(index, contestant);
  return takeTurn(contestant, { seconds, began: known ? undefined : began });
}

function report(index: number, turns: ReadonlyMap<Name, readonly Turn[]>): void {
  const { name: title, flop } = cases[index]!;
  const timings = (name: Name): (readonly number[])[] =>
    turns.get(name)!.map(({ milliseconds }) => milliseconds);
  const rows = names.map((name) => {
    const ms = median(timings(name).flat());
    const [first] = turns.get(name)!;
    const times =
      name === 'rectiflow' ? '' : ratio(spread(pairwiseRatios(timings('rectiflow'), timings(name))));
    return [
      name,
      digits(ms),
      digits(flop / ms / 1e6),
      digits(first!.cold ?? NaN),
      times,
      digits(first!.result),
    ];
  });
  const header = [
    title,
    'ms',
    'GFLOP/s',
    'first run, ms',
    'rectiflow in the tab is so many times as fast',
    'result',
  ];
  console.log(`${markdownTable(header, rows).join('\n')}\n`);
}

/** The page's script, with the core and the peers in it. */
async function bundlePage(): Promise<string> {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  for (const peer of ['@jax-js/jax', '@tensorflow/tfjs-core', '@tensorflow/tfjs-backend-webgpu']) {
    if (existsSync(`${root}node_modules/${peer}`)) continue;
    console.error(`${peer} is not installed.\n\n${usage}`);
    process.exit(2);
  }
  const { output } = await build({
    input: fileURLToPath(new URL('webgpu/page.js', import.meta.url)),
    platform: 'browser',
    resolve: { alias: { 'rectiflow/core': `${root}dist/core.js` } },
    write: false,
    output: { format: 'esm', codeSplitting: false },
    logLevel: 'silent',
  });
  return output[0].code;
}
