// Where a training step's time goes, and how far each op is from what the machine could do: npm run bench:ops
import { type Node, type Profile, cpuBackend } from 'rectiflow';
import { caseByName, caseNames, type VariantName, variants } from './cases.ts';
import { memoryBandwidth, sustainedPeak } from './machine.ts';
import { describeOperands, nodeCost } from './node-cost.ts';
import { readOptions } from './options.ts';
import { optionsOf } from './players.ts';
import { digits, markdownTable, percent } from './table.ts';
import { prepareStep } from './training-step.ts';

const ours = ['bf16', 'fp32', 'avx2-fp32', 'bf16-1'] as const satisfies readonly VariantName[];

const usage = `npm run bench:ops -- [CASE ...] [--variants A,B] [--rounds N] [--threads N] [--quick]

  CASE        ${caseNames.join(', ')}; s-256 by default
  --variants  ${ours.join(', ')}; bf16 by default
  --rounds    steps to measure (5)
  --threads   one per core by default
  --quick     two steps`;

const options = readOptions({
  usage,
  names: caseNames,
  defaultNames: ['s-256'],
  variants: ours,
  rounds: 5,
  quickRounds: 2,
});

/** Rows below this share of the step are summed up. */
const smallest = 0.002;

interface Group {
  readonly node: Node;
  nodes: number;
  /** Per step. */
  milliseconds: number;
}

for (const name of options.names) {
  for (const variant of (options.variants ?? ['bf16']) as VariantName[]) await measure(name, variant);
}

async function measure(name: string, variant: VariantName): Promise<void> {
  const settings = optionsOf(variants[variant], options.threads);
  const peaks = {
    bf16: await sustainedPeak({ ...settings, precision: 'bf16' }),
    fp32: await sustainedPeak({ ...settings, precision: 'fp32' }),
  };
  const bandwidth = await memoryBandwidth(settings.threads!);
  const { title, config } = caseByName(name);
  console.error(`${name}: ${variants[variant].label}, ${options.rounds} steps`);
  const { executable, run } = await prepareStep(config, settings);
  await run();
  const before = executable.profile();
  const began = performance.now();
  for (let step = 0; step < options.rounds; step++) await run();
  const wall = (performance.now() - began) / options.rounds;
  const groups = groupNodes(before, executable.profile(), options.rounds);
  const large = groups.filter(({ milliseconds }) => milliseconds >= smallest * wall);
  const small = groups.filter((group) => !large.includes(group));
  const rows = large.map((group) => row(group, wall, peaks, bandwidth));
  const others = total(small);
  const outside = wall - total(groups);
  const plain = (label: string, milliseconds: number): string[] => {
    return [label, '', '', digits(milliseconds), percent(milliseconds / wall), '', '', ''];
  };
  const header = ['op', 'operands', 'nodes', 'ms', 'of the step', 'GFLOP/s', 'GB/s', 'of its roofline'];
  const lines = [
    `**${name}**: ${title}; ${cpuBackend(settings).describe()}`,
    '',
    `Peak ${digits(peaks.bf16 / 1e9)} GFLOP/s in bf16, ${digits(peaks.fp32 / 1e9)} in fp32; memory ${digits(bandwidth / 1e9)} GB/s.`,
    'A share of the roofline above 100% means that operands were in a cache.',
    '',
    ...markdownTable(
      header,
      [
        ...rows,
        plain(`${small.length} others`, others),
        plain('outside of nodes', outside),
        plain('step', wall),
      ],
      2,
    ),
    '',
  ];
  console.log(lines.join('\n'));
}

/** Nodes of one op on operands of the same types, the most expensive first. */
function groupNodes(before: Profile, after: Profile, steps: number): Group[] {
  const groups = new Map<string, Group>();
  after.nodes.forEach(({ node, milliseconds }, i) => {
    const key = `${node.op.name} ${describeOperands(node)}`;
    const group = groups.get(key) ?? { node, nodes: 0, milliseconds: 0 };
    group.nodes++;
    group.milliseconds += (milliseconds - before.nodes[i]!.milliseconds) / steps;
    groups.set(key, group);
  });
  return [...groups.values()].toSorted((a, b) => b.milliseconds - a.milliseconds);
}

function total(groups: readonly Group[]): number {
  return groups.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
}

function row(
  { node, nodes, milliseconds }: Group,
  wall: number,
  peaks: { readonly bf16: number; readonly fp32: number },
  bandwidth: number,
): string[] {
  const { operations, bytes } = nodeCost(node);
  const peak = node.inputs[0]?.dtype === 'bfloat16' ? peaks.bf16 : peaks.fp32;
  const seconds = milliseconds / 1000 / nodes;
  return [
    node.op.name,
    describeOperands(node, 3),
    String(nodes),
    digits(milliseconds),
    percent(milliseconds / wall),
    operations > 0 ? digits(operations / seconds / 1e9) : '',
    digits(bytes / seconds / 1e9),
    percent(Math.max(operations / peak, bytes / bandwidth) / seconds),
  ];
}
