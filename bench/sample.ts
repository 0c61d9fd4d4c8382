// Sampling with guidance, ours and PyTorch's, in turns on the same machine: npm run bench:sample
import { costOf, createModel, cpuBackend } from 'rectiflow';
import { type VariantName, caseByName, caseNames, variants } from './cases.ts';
import { playMatch } from './match.ts';
import { readOptions } from './options.ts';
import { findPeer } from './peer.ts';
import { player } from './players.ts';
import { Scores } from './scores.ts';
import { digits, markdownTable, percent, ratio } from './table.ts';

const usage = `npm run bench:sample -- [CASE ...] [--steps N] [--rounds N] [--threads N] [--python PATH] [--quick]

  CASE        ${caseNames.join(', ')}; s-256 by default
  --steps     of the sampler (50)
  --rounds    turns of each side (3)
  --threads   of both sides; one per core by default
  --python    an interpreter with PyTorch, in place of one in build/bench-venv
  --quick     one round of 5 steps`;

const guidance = 2;

const options = readOptions({
  usage,
  names: caseNames,
  defaultNames: ['s-256'],
  rounds: 3,
  quickRounds: 1,
});
const { threads, rounds, steps } = options;
const peer = findPeer(options.python);
const machine = cpuBackend({ threads, precision: 'bf16' });
console.log(
  `${machine.describe()}; ${peer ? `PyTorch ${peer.version}` : 'no PyTorch'}; Euler, ${steps} steps, guidance ${guidance}\n`,
);
for (const name of options.names as (typeof caseNames)[number][]) {
  const setting = { name, threads, peer, sampling: { steps, guidance } };
  const names: VariantName[] = peer ? ['bf16', 'torch-bf16', 'torch-bf16-weights'] : ['bf16'];
  const scores = new Scores<VariantName>();
  const rules = { title: `${name}, ${steps} steps`, rounds, seconds: 0 };
  scores.add(
    await playMatch(
      names.map((variant) => player(variant, setting)),
      rules,
    ),
  );
  const { title, config } = caseByName(name);
  const { batchSize } = config.train;
  // Guidance evaluates every sample twice.
  const flops = 2 * costOf(createModel(config.model)).forward * batchSize * steps;
  const rows = names.map((variant) => {
    const milliseconds = scores.milliseconds(variant);
    const rate = flops / (milliseconds / 1000);
    return [
      variants[variant].label,
      digits(milliseconds / 1000),
      digits(milliseconds / steps),
      digits((1000 * batchSize) / milliseconds),
      digits(rate / 1e9),
      percent(scores.shareOfPeak(variant, flops)),
      digits(scores.peakBytes(variant) / 2 ** 20),
    ];
  });
  const header = ['', 's', 'ms per step', 'samples/s', 'model GFLOP/s', 'of the peak', 'memory, MiB'];
  const lines = [`**${name}**: ${title}`, '', ...markdownTable(header, rows), ''];
  const [best] = names.slice(1).toSorted((a, b) => scores.milliseconds(a) - scores.milliseconds(b));
  if (best !== undefined) {
    const speed = ratio(scores.speed(['bf16', best])!);
    lines.push(
      `rectiflow is ${speed} times as fast as the faster of PyTorch's two, ${variants[best].label}.\n`,
    );
  }
  console.log(lines.join('\n'));
}
