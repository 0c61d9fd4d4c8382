// Convolutions and their gradients, beside PyTorch's: npm run bench:convolutions
import { type CpuExecutable, type Profile, type Program, cpuBackend, grad, ops, trace } from 'rectiflow';
import { Contestant } from './contestant.ts';
import { sustainedPeak } from './machine.ts';
import { nodeCost } from './node-cost.ts';
import { readOptions } from './options.ts';
import { findPeer, peerScript } from './peer.ts';
import { median, pairwiseRatios, spread } from './statistics.ts';
import { digits, markdownTable, percent, ratio } from './table.ts';

interface Convolution {
  /** Images, channels, outputs, pixels of a side. */
  readonly shape: readonly [B: number, C: number, O: number, size: number];
  /** Of the kernel. */
  readonly side: number;
  readonly stride: number;
}

/** Levels of autoencoders: wide and narrow, deep and shallow, and their first and last layers. */
const convolutions: Readonly<Record<string, Convolution>> = {
  '128-64': { shape: [4, 128, 128, 64], side: 3, stride: 1 },
  '32-64': { shape: [16, 32, 32, 64], side: 3, stride: 1 },
  '256-16': { shape: [16, 256, 256, 16], side: 3, stride: 1 },
  '256-8': { shape: [16, 256, 256, 8], side: 3, stride: 1 },
  'half-64': { shape: [8, 64, 64, 64], side: 3, stride: 2 },
  'point-32': { shape: [8, 128, 256, 32], side: 1, stride: 1 },
  first: { shape: [16, 3, 32, 64], side: 3, stride: 1 },
  last: { shape: [16, 32, 3, 64], side: 3, stride: 1 },
};
const parts = ['conv2d', 'conv2dGradInput', 'conv2dGradParams'] as const;
type Part = (typeof parts)[number];
const precisions = ['fp32', 'bf16'] as const;
type Precision = (typeof precisions)[number];

const usage = `npm run bench:convolutions -- [CASE ...] [--variants A,B] [--rounds N] [--threads N] [--python PATH] [--quick]

  CASE        ${Object.keys(convolutions).join(', ')}; all by default
  --variants  ${precisions.join(', ')}; both by default
  --rounds    turns of each side (5)
  --threads   one per core by default
  --python    an interpreter that has PyTorch; one in build/bench-venv by default
  --quick     two rounds`;

const options = readOptions({
  usage,
  names: Object.keys(convolutions),
  variants: precisions,
  rounds: 5,
  quickRounds: 2,
});
const secondsOfTurn = 0.5;

const peer = findPeer(options.python);
const rows: string[][] = [];
for (const precision of (options.variants ?? precisions) as Precision[]) {
  const peak = await sustainedPeak({ precision, threads: options.threads });
  for (const name of options.names) rows.push(...(await measure(name, precision, peak)));
}
const header = [
  'convolution',
  'part',
  'precision',
  'ms',
  'GFLOP/s',
  'of the peak',
  'times as fast as PyTorch',
];
console.log(
  [
    `${cpuBackend({ threads: options.threads }).describe()}${peer ? `; PyTorch ${peer.version}` : ''}`,
    '',
    ...markdownTable(header, rows, 3),
  ].join('\n'),
);

async function measure(name: string, precision: Precision, peak: number): Promise<string[][]> {
  const convolution = convolutions[name]!;
  console.error(`${name}: ${precision}, ${options.rounds} rounds`);
  const run = await ours(convolution, precision);
  const peers = await Promise.all(peer ? parts.map((part) => theirs(convolution, precision, part)) : []);
  const timings = parts.map(() => ({ ours: [] as number[][], theirs: [] as number[][] }));
  for (let round = 0; round < options.rounds; round++) {
    const milliseconds = await run.turn();
    for (const [i, part] of parts.entries()) {
      timings[i]!.ours.push(milliseconds[part]);
      if (peers[i]) timings[i]!.theirs.push([...(await peers[i].turn(secondsOfTurn)).milliseconds]);
    }
  }
  for (const each of peers) await each.close();
  return parts.map((part, i) => {
    const milliseconds = median(timings[i]!.ours.map(median));
    const perSecond = (1000 * run.operations[part]) / milliseconds;
    const times = peer ? ratio(spread(pairwiseRatios(timings[i]!.ours, timings[i]!.theirs))) : '';
    return [
      name,
      part,
      precision,
      digits(milliseconds),
      digits(perSecond / 1e9),
      percent(perSecond / peak),
      times,
    ];
  });
}

function programOf({ shape: [B, C, O, size], side, stride }: Convolution): Program {
  return trace('convolution', (graph) => {
    const x = graph.input('x', [B, C, size, size]);
    const w = graph.input('w', [O, C, side, side]);
    const b = graph.input('b', [O]);
    const y = ops.conv2d(x, w, b, { stride, padding: Math.floor(side / 2) });
    const [dx, dw, db] = grad(ops.sum(ops.square(y)), [x, w, b]);
    return { dx: ops.sum(dx!), dw: ops.sum(dw!), db: ops.sum(db!) };
  });
}

/** Turns of a program of all parts, each of which is timed on its own. */
async function ours(
  convolution: Convolution,
  precision: Precision,
): Promise<{
  readonly operations: Readonly<Record<Part, number>>;
  turn(): Promise<Record<Part, number[]>>;
}> {
  const program = programOf(convolution);
  const executable = await cpuBackend({ precision, threads: options.threads }).compile(program, new Map());
  const inputs = Object.fromEntries(
    program.inputs.map(({ name, shape }) => [
      name!,
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => Math.random() - 0.5),
    ]),
  );
  const operations = ofParts(executable, ({ node }) => nodeCost(node).operations);
  const timed = async (): Promise<Record<Part, number>> => {
    const before = ofParts(executable, ({ milliseconds }) => milliseconds);
    await executable.run(inputs);
    return ofParts(executable, ({ node, milliseconds }) => milliseconds - before[node.op.name as Part]);
  };
  await timed();
  return {
    operations,
    async turn() {
      const milliseconds: Record<Part, number[]> = { conv2d: [], conv2dGradInput: [], conv2dGradParams: [] };
      await timed();
      const end = performance.now() + 1000 * parts.length * secondsOfTurn;
      while (milliseconds.conv2d.length === 0 || performance.now() < end) {
        const run = await timed();
        for (const part of parts) milliseconds[part].push(run[part]);
      }
      return milliseconds;
    },
  };
}

function ofParts(
  executable: CpuExecutable,
  value: (time: Profile['nodes'][number]) => number,
): Record<Part, number> {
  const { nodes } = executable.profile();
  return Object.fromEntries(
    parts.map((part) => [part, value(nodes.find(({ node }) => node.op.name === part)!)]),
  ) as Record<Part, number>;
}

function theirs(convolution: Convolution, precision: Precision, part: Part): Promise<Contestant> {
  const specification = { ...convolution, precision, part, threads: options.threads };
  return Contestant.start(peer!.python, [peerScript('convolution'), JSON.stringify(specification)]);
}
