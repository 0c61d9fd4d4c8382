// A whole training step, ours and PyTorch's, in turns on the same machine: npm run bench:step
import { cpuBackend, cpuIsas, costOf, createModel } from 'rectiflow';
import { type CaseName, type VariantName, caseByName, caseNames, variants } from './cases.ts';
import { bestBurst } from './machine.ts';
import { playMatch } from './match.ts';
import { comparisons, matchesOf, stepVariants } from './matches.ts';
import { type Options, readOptions } from './options.ts';
import { type Peer, findPeer } from './peer.ts';
import { type Setting, optionsOf, player } from './players.ts';
import { Scores } from './scores.ts';
import { median } from './statistics.ts';
import { digits, markdownTable, percent, ratio } from './table.ts';

const usage = `npm run bench:step -- [CASE ...] [--rounds N] [--threads N] [--python PATH] [--variants A,B] [--quick]

  CASE        ${caseNames.join(', ')}; all by default
  --rounds    turns of each side (5)
  --threads   of both sides; one per core by default
  --python    an interpreter with PyTorch, in place of one in build/bench-venv
  --variants  only these: ${stepVariants.join(', ')}
  --quick     two short rounds`;

const options = readOptions({ usage, names: caseNames, variants: stepVariants, rounds: 5, quickRounds: 2 });
const peer = findPeer(options.python);
const machine = cpuBackend({ threads: options.threads, precision: 'bf16' });
console.log(`${machine.describe()}; ${peer ? `PyTorch ${peer.version}` : 'no PyTorch'}\n`);
for (const name of options.names as CaseName[]) {
  console.log(`${(await measureCase(name, options, peer)).join('\n')}\n`);
}

async function measureCase(name: CaseName, given: Options, beside: Peer | undefined): Promise<string[]> {
  const { title, config } = caseByName(name);
  const { threads, rounds } = given;
  const setting = { name, threads, peer: beside };
  const scores = new Scores<VariantName>();
  const flops = costOf(createModel(config.model)).training * config.train.batchSize;
  const available = {
    threads,
    peer: beside !== undefined,
    only: given.variants,
    avx2: cpuIsas().includes('avx2'),
  };
  for (const match of matchesOf(name, available)) {
    const rules = { title: name, rounds, seconds: given.quick ? 0.3 : 1 };
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
        percent(scores.shareOfPeak(variant, flops)),
        percent(rate / (await bestBurst(optionsOf(variants[variant], threads)))),
        digits(scores.peakBytes(variant) / 2 ** 20),
      ];
    }),
  );
  const header = [
    '',
    'ms per step',
    'images/s',
    'model GFLOP/s',
    'of the peak',
    'of its best burst',
    'memory, MiB',
  ];
  return [
    `**${name}**: ${title}`,
    '',
    ...markdownTable(header, rows),
    ...compared(scores),
    ...(name === 's-256' ? await starts(setting, given, scores) : []),
  ];
}

function compared(scores: Scores<VariantName>): string[] {
  const rows = comparisons.flatMap((pair) => {
    const speed = scores.speed(pair);
    if (!speed) return [];
    const [a, b] = pair;
    const memory = scores.peakBytes(a) / scores.peakBytes(b);
    return [[`${variants[a].label} / ${variants[b].label}`, ratio(speed), memory.toFixed(2)]];
  });
  return rows.length === 0 ? [] : ['', ...markdownTable(['a / b', 'times as fast', 'memory of a / b'], rows)];
}

/** How long one waits for the end of the first step, from the start of the process, and how much longer than for any other. */
async function starts(
  setting: Setting,
  { rounds, variants: only }: Options,
  scores: Scores<VariantName>,
): Promise<string[]> {
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
  const rows = names.map((name) => {
    const wait = median(seconds.get(name)!);
    return [variants[name].label, digits(wait), digits(wait - scores.milliseconds(name) / 1000)];
  });
  const header = ['', 'from the start to the end of the first step, s', 'beyond an ordinary step, s'];
  return names.length === 0 ? [] : ['', ...markdownTable(header, rows)];
}
