// A table of where a step's time goes: nodes of one op on operands of the same types together, beside what the machine could do.
import type { Node, NodeTime } from 'rectiflow';
import { describeOperands, nodeCost } from './node-cost.ts';
import { digits, markdownTable, percent } from './table.ts';

/** Rows below this share of the step are summed up. */
const smallest = 0.002;

interface Group {
  readonly node: Node;
  nodes: number;
  /** Per step. */
  milliseconds: number;
}

/** FLOP/s and bytes per second that are reached at best. */
export interface Peaks {
  readonly bf16: number;
  readonly fp32: number;
  /** NaN where it is not known. */
  readonly bandwidth: number;
}

/**
 * @param nodes with their time in one step
 * @param wall milliseconds of a step
 */
export function opTable(nodes: readonly NodeTime[], wall: number, peaks: Peaks): string[] {
  const groups = groupNodes(nodes);
  const large = groups.filter(({ milliseconds }) => milliseconds >= smallest * wall);
  const small = groups.filter((group) => !large.includes(group));
  const plain = (label: string, milliseconds: number): string[] => {
    return [label, '', '', digits(milliseconds), percent(milliseconds / wall), '', '', ''];
  };
  const rows = [
    ...large.map((group) => row(group, wall, peaks)),
    plain(`${small.length} others`, total(small)),
    plain('outside of nodes', wall - total(groups)),
    plain('step', wall),
  ];
  const header = ['op', 'operands', 'nodes', 'ms', 'of the step', 'GFLOP/s', 'GB/s', 'of its roofline'];
  return markdownTable(header, rows, 2);
}

/** The most expensive first. */
function groupNodes(times: readonly NodeTime[]): Group[] {
  const groups = new Map<string, Group>();
  for (const { node, milliseconds } of times) {
    const key = `${node.op.name} ${describeOperands(node)}`;
    const group = groups.get(key) ?? { node, nodes: 0, milliseconds: 0 };
    group.nodes++;
    group.milliseconds += milliseconds;
    groups.set(key, group);
  }
  return [...groups.values()].toSorted((a, b) => b.milliseconds - a.milliseconds);
}

function total(groups: readonly Group[]): number {
  return groups.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
}

function row({ node, nodes, milliseconds }: Group, wall: number, peaks: Peaks): string[] {
  const { operations, bytes } = nodeCost(node);
  const peak = node.inputs[0]?.dtype === 'bfloat16' ? peaks.bf16 : peaks.fp32;
  const seconds = milliseconds / 1000 / nodes;
  const least = Math.max(operations / peak, Number.isNaN(peaks.bandwidth) ? 0 : bytes / peaks.bandwidth);
  return [
    node.op.name,
    describeOperands(node, 3),
    String(nodes),
    digits(milliseconds),
    percent(milliseconds / wall),
    operations > 0 ? digits(operations / seconds / 1e9) : '',
    digits(bytes / seconds / 1e9),
    least > 0 ? percent(least / seconds) : '',
  ];
}
