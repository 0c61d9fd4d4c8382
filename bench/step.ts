// A whole training step, ours and PyTorch's, in turns on the same machine: npm run bench:step
import { cpuBackend, costPerImage } from 'rectiflow';
import { type CaseName, type VariantName, caseByName, caseNames, variantNames, variants } from './cases.ts';
import { type Comparison, Scores } from './scores.ts';
import { peakOf } from './machine.ts';
import { playMatch } from './match.ts';
import { type Options, readOptions } from './options.ts';
import { type Peer, findPeer } from './peer.ts';
import { type Setting, optionsOf, player } from './players.ts';
import { median } from './statistics.ts';
import { digits, markdownTable, percent, ratio } from './table.ts';

const usage = `npm run bench:step -- [CASE ...] [--rounds N] [--threads N] [--python PATH] [--variants A,B] [--quick]

  CASE        ${caseNames.join(', ')}; all by default
  --rounds    turns of each side (5)
  --threads   of both sides; one per core by default
  --python    an interpreter with PyTorch, in place of one in build/bench-venv
  --variants  only these: ${variantNames.filter((name) => name !== 'torch-bf16-weights').join(', ')}
  --quick     two short rounds`;

/** Who stands beside whom: as many processes at a time as fit in memory. */
const matches: readonly (readonly VariantName[])[] = [
  ['bf16', 'torch-bf16', 'torch-fp32'],
  ['fp32', 'torch-fp32', 'bf16'],
  ['avx2-fp32', 'torch-fp32'],
  ['bf16', 'bf16-1'],
];

const comparisons: readonly Comparison[] = [
  ['bf16', 'torch-bf16'],
  ['bf16', 'torch-fp32'],
  ['fp32', 'torch-fp32'],
  ['avx2-fp32', 'torch-fp32'],
  ['bf16', 'fp32'],
  ['bf16', 'bf16-1'],
];

const options = readOptions({ usage, names: caseNames, variants: variantNames, rounds: 5, quickRounds: 2 });
const peer = findPeer(options.python);
const machine = cpuBackend({ threads: options.threads, precision: 'bf16' });
const report = [`${machine.describe()}; ${peer ? `PyTorch ${peer.version}` : 'no PyTorch'}`];
for (const name of options.names as CaseName[]) report.push('', ...(await measureCase(name, options, peer)));
console.log(report.join('\n'));

async function measureCase(name: CaseName, given: Options, beside: Peer | undefined): Promise<string[]> {
  const { title, config } = caseByName(name);
  const setting = { name, threads: given.threads, peer: beside };
  const scores = new Scores();
  const flops = costPerImage(config.model).training * config.train.batchSize;
  for (const match of matchesOf(name, given, beside)) {
    const rules = { title: name, rounds: given.rounds, seconds: given.quick ? 0.3 : 1 };
    scores.add(
      await playMatch(
        match.map((variant) => player(variant, setting)),
        rules,
      ),
    );
  }
  const rows = await Promise.all(
    scores.names().map(async (variant) => {
      const milliseconds = scores.milliseconds(variant);
      const rate = flops / (milliseconds / 1000);
      return [
        variants[variant].label,
        digits(milliseconds),
        digits((1000 * config.train.batchSize) / milliseconds),
        digits(rate / 1e9),
        percent(rate / (await peakOf(optionsOf(variants[variant], given.threads)))),
        digits(scores.peakBytes(variant) / 2 ** 20),
      ];
    }),
  );
  const header = ['', 'ms per step', 'images/s', 'model GFLOP/s', 'of the peak', 'memory, MiB'];
  return [
    `**${name}**: ${title}`,
    '',
    ...markdownTable(header, rows),
    ...compared(scores),
    ...(name === 's-256' ? await starts(setting, given) : []),
  ];
}

function matchesOf(name: CaseName, given: Options, beside: Peer | undefined): VariantName[][] {
  const plays = (variant: VariantName): boolean =>
    (beside !== undefined || variants[variant].by === 'rectiflow') &&
    (given.variants?.includes(variant) ?? true) &&
    (variant !== 'avx2-fp32' || name === 's-256') &&
    (variant !== 'bf16-1' || given.threads > 1);
  const possible = matches.map((match) => match.filter(plays)).filter((match) => match.length > 0);
  const within = (a: VariantName[], b: VariantName[]): boolean => a.every((variant) => b.includes(variant));
  return possible.filter(
    (match, i) =>
      !possible.some((other, j) => i !== j && within(match, other) && (i > j || !within(other, match))),
  );
}

function compared(scores: Scores): string[] {
  const rows = comparisons.flatMap((pair) => {
    const speed = scores.speed(pair);
    if (!speed) return [];
    const [a, b] = pair;
    const memory = scores.peakBytes(a) / scores.peakBytes(b);
    return [[`${variants[a].label} / ${variants[b].label}`, ratio(speed), memory.toFixed(2)]];
  });
  return rows.length === 0 ? [] : ['', ...markdownTable(['a / b', 'times as fast', 'memory of a / b'], rows)];
}

/** How long one waits for the end of the first step, from the start of the process. */
async function starts(setting: Setting, { rounds, variants: only }: Options): Promise<string[]> {
  const names = (['bf16', 'torch-bf16'] as const).filter(
    (name) => (only?.includes(name) ?? true) && (setting.peer || variants[name].by === 'rectiflow'),
  );
  const seconds = new Map<VariantName, number[]>(names.map((name) => [name, []]));
  for (let round = 0; round < Math.min(rounds, 3); round++) {
    for (const name of names) {
      const contestant = await player(name, setting).start();
      seconds.get(name)!.push(contestant.startSeconds);
      console.error(`start: ${name} ${digits(contestant.startSeconds)} s`);
      await contestant.close();
    }
  }
  const rows = names.map((name) => [variants[name].label, digits(median(seconds.get(name)!))]);
  const header = ['', 'from the start of the process to the end of the first step, s'];
  return names.length === 0 ? [] : ['', ...markdownTable(header, rows)];
}
