// Where the time of runs goes.
import type { Node } from '../tensor/tensor.ts';

/** Time that the nodes of one op took, over all runs. */
export interface OpTime {
  readonly op: string;
  readonly nodes: number;
  readonly milliseconds: number;
}

/** Time that one node of the program took, over all runs. */
export interface NodeTime {
  readonly node: Node;
  readonly milliseconds: number;
}

/** Where the time went. */
export interface Profile {
  readonly runs: number;
  /** The most expensive op first. */
  readonly ops: readonly OpTime[];
  /** In the order in which they run. */
  readonly nodes: readonly NodeTime[];
}

export function profileOf(nodes: readonly NodeTime[], runs: number): Profile {
  const ops = new Map<string, { op: string; nodes: number; milliseconds: number }>();
  for (const { node, milliseconds } of nodes) {
    const { name } = node.op;
    const entry = ops.get(name) ?? { op: name, nodes: 0, milliseconds: 0 };
    entry.nodes++;
    entry.milliseconds += milliseconds;
    ops.set(name, entry);
  }
  return { runs, ops: [...ops.values()].toSorted((a, b) => b.milliseconds - a.milliseconds), nodes };
}
