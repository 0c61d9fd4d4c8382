// Pictures to latents and back: npm run bench:autoencoder
import { LatentCodec, autoencoderNeeds, cpuBackend, createAutoencoder } from 'rectiflow';
import type { Backend, Buffer } from 'rectiflow';
import { autoencoderCases } from './autoencoder-cases.ts';
import { readOptions } from './options.ts';
import { digits, markdownTable } from './table.ts';

const usage = `npm run bench:autoencoder -- [CASE ...] [--rounds N] [--threads N] [--quick]

  CASE        sd, taesd, small; all of them by default
  --rounds    of each size, of which the fastest counts (3)
  --threads   one per core by default
  --quick     one round`;

type CaseName = keyof typeof autoencoderCases;
const names = Object.keys(autoencoderCases) as CaseName[];

const options = readOptions({ usage, names, defaultNames: names, rounds: 3, quickRounds: 1 });
const rows: string[][] = [];
for (const precision of ['fp32', 'bf16'] as const) {
  const backend = cpuBackend({ threads: options.threads, precision });
  console.log(backend.describe());
  for (const name of options.names as CaseName[]) rows.push(...(await measureCase(backend, name)));
  await backend.dispose();
}
const header = ['', 'encode, s', 'GFLOP/s', 'MiB', 'decode, s', 'GFLOP/s', 'MiB'];
console.log(['', ...markdownTable(header, rows)].join('\n'));

async function measureCase(backend: Backend, name: CaseName): Promise<string[][]> {
  const { config, sides } = autoencoderCases[name];
  const autoencoder = createAutoencoder(config);
  const weights = new Map<string, Buffer>();
  for (const parameter of autoencoder.parameters) {
    const buffer = backend.allocate({ shape: parameter.shape, dtype: 'float32' });
    await buffer.write(drawn(parameter.shape));
    weights.set(parameter.name, buffer);
  }
  const codec = new LatentCodec(backend, autoencoder, weights, { memory: 2 ** 34 });
  const found: string[][] = [];
  for (const side of sides) {
    const shape = [1, 3, side, side];
    const { cost, memory } = autoencoderNeeds(autoencoder, shape.slice(1), backend);
    const images = drawn(shape);
    const { mean, shape: latent } = await codec.encode(images, shape);
    const encode = await fastest(() => codec.encode(images, shape));
    const decode = await fastest(() => codec.decode(mean, latent));
    const rate = (flops: number, seconds: number): string => digits(flops / seconds / 1e9);
    found.push([
      `${name}, ${side}x${side}, ${backend.precision}`,
      digits(encode),
      rate(cost.encode, encode),
      digits(memory.encode / 2 ** 20),
      digits(decode),
      rate(cost.decode, decode),
      digits(memory.decode / 2 ** 20),
    ]);
  }
  await codec.dispose();
  for (const buffer of weights.values()) await buffer.dispose();
  return found;
}

/** Seconds of the fastest of some calls; the first, which compiles, does not count. */
async function fastest(call: () => Promise<unknown>): Promise<number> {
  await call();
  let best = Infinity;
  for (let round = 0; round < options.rounds; round++) {
    const began = performance.now();
    await call();
    best = Math.min(best, (performance.now() - began) / 1000);
  }
  return best;
}

/** Uniform numbers about as large as weights are at first: what they are changes nothing about the time. */
function drawn(shape: readonly number[]): Float32Array {
  const size = shape.reduce((product, extent) => product * extent, 1);
  const bound = 1 / Math.sqrt(Math.max(1, size / shape[0]!));
  let state = 1;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state / 2 ** 31 - 1) * bound;
  });
}
