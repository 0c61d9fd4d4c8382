// How the cost of a training step grows with tokens, width, depth and batch: npm run bench:sweep
//
// Prints a table and draws docs/images/cost-*.svg. Each point is a model of its own, small enough that all take minutes, in a process
// of its own: in one that had held large models before, a few took half as long again.
import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type RunConfig, costOf, createModel, cpuBackend, resolveConfig, svgPlot } from 'rectiflow';
import { sustainedPeak } from './machine.ts';
import { readOptions } from './options.ts';
import { median } from './statistics.ts';
import type { Point } from './sweep-child.ts';
import { digits, markdownTable, percent } from './table.ts';

interface Sizes {
  /** In tokens. */
  readonly grid: readonly [rows: number, columns: number];
  readonly width: number;
  readonly depth: number;
  readonly batch: number;
}

const base: Sizes = { grid: [16, 16], width: 384, depth: 4, batch: 8 };
/** Sweeps over tokens keep about as many of them in a batch. */
const tokensPerBatch = 2048;
const headWidth = 64;
const patchSize = 2;

interface Sweep {
  readonly x: string;
  readonly sizes: readonly Sizes[];
  /** The coordinate of a point. */
  of(sizes: Sizes): number;
}

const tokensOf = ({ grid: [rows, columns] }: Sizes): number => rows * columns;

/** Square and not, even and odd. */
const grids = [
  [8, 8],
  [7, 21],
  [14, 14],
  [16, 16],
  [21, 21],
  [28, 28],
  [31, 33],
  [32, 32],
  [49, 32],
  [45, 45],
  [64, 48],
  [64, 64],
  [65, 65],
] as const;

const sweeps = {
  tokens: {
    x: 'tokens per image',
    sizes: grids.map((grid) => ({
      ...base,
      grid,
      batch: Math.max(1, Math.round(tokensPerBatch / (grid[0] * grid[1]))),
    })),
    of: tokensOf,
  },
  width: {
    x: 'width',
    sizes: [64, 128, 192, 256, 320, 384, 448, 512, 640, 768, 1024].map((width) => ({
      ...base,
      width,
      batch: 4,
    })),
    of: ({ width }) => width,
  },
  depth: {
    x: 'depth, blocks',
    sizes: [1, 2, 3, 4, 6, 8, 12, 16, 24].map((depth) => ({ ...base, depth, batch: 4 })),
    of: ({ depth }) => depth,
  },
  batch: {
    x: 'images per batch',
    sizes: [1, 2, 3, 4, 7, 8, 13, 16, 24, 31, 32, 33].map((batch) => ({ ...base, batch })),
    of: ({ batch }) => batch,
  },
} satisfies Record<string, Sweep>;

type SweepName = keyof typeof sweeps;
const names = Object.keys(sweeps) as SweepName[];

const usage = `npm run bench:sweep -- [SWEEP ...] [--rounds N] [--threads N] [--quick]

  SWEEP      ${names.join(', ')}; all by default
  --rounds   timed steps of each point (5)
  --threads  one per core by default
  --quick    one step of each point`;

const options = readOptions({ usage, names, rounds: 5, quickRounds: 1 });
const settings = { precision: 'bf16', threads: options.threads } as const;
const machine = cpuBackend(settings).describe();
const images = fileURLToPath(new URL('../../docs/images/', import.meta.url));
await mkdir(images, { recursive: true });

const rows: string[][] = [];
for (const name of options.names as SweepName[]) {
  const { x, sizes, of }: Sweep = sweeps[name];
  const measured: [number, number][] = [];
  const flops: number[] = [];
  const peaks: number[] = [];
  for (const point of sizes) {
    const config = configOf(point);
    const milliseconds = await measure(config);
    // Beside each point: the host's clock moves within minutes.
    const peak = await sustainedPeak(settings);
    const operations = costOf(createModel(config.model)).training * point.batch;
    const rate = operations / (milliseconds / 1000);
    measured.push([of(point), milliseconds / point.batch]);
    flops.push(operations / point.batch);
    peaks.push(peak);
    const { width, depth, batch } = point;
    const numbers = [tokensOf(point), width, depth, batch].map(String);
    rows.push([name, ...numbers, digits(milliseconds), digits(rate / 1e9), percent(rate / peak)]);
    console.error(`${name} ${of(point)}: ${digits(milliseconds)} ms per step`);
  }
  const atPeak = flops.map((perImage, i) => [measured[i]![0], (1000 * perImage) / median(peaks)] as const);
  const series = [
    { label: 'measured', points: measured },
    { label: 'its products at the peak of the machine', points: atPeak, dashed: true },
  ];
  const title = `Training step: ${titleOf(name)}`;
  await writeFile(
    `${images}cost-${name}.svg`,
    svgPlot({ title, subtitle: machine, x, y: 'ms per image', series }),
  );
}
const header = ['sweep', 'tokens', 'width', 'depth', 'batch', 'ms per step', 'model GFLOP/s', 'of the peak'];
console.log([machine, '', ...markdownTable(header, rows)].join('\n'));

function configOf({ grid, width, depth, batch }: Sizes): RunConfig {
  const imageSize = [patchSize * grid[0], patchSize * grid[1]] as const;
  return resolveConfig({
    data: { source: 'custom' },
    model: { width, depth, heads: width / headWidth, patchSize, channels: 4, imageSize, classes: 10 },
    train: { batchSize: batch },
  });
}

async function measure(config: RunConfig): Promise<number> {
  const point: Point = { config, settings, rounds: options.rounds };
  const child = fileURLToPath(new URL('sweep-child.js', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [child, JSON.stringify(point)]);
  return median(JSON.parse(stdout) as number[]);
}

/** What stays the same while one size is swept. */
function titleOf(name: SweepName): string {
  const { width, depth } = base;
  const fixed = { width: `width ${width}`, depth: `depth ${depth}`, tokens: `${tokensOf(base)} tokens` };
  const kept = (Object.keys(fixed) as (keyof typeof fixed)[]).filter((key) => key !== name);
  return kept.map((key) => fixed[key]).join(', ');
}
