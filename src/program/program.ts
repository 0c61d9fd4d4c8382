import type { Op } from '../ops/op.ts';
import { RectiflowError } from '../tensor/errors.ts';
import { Graph, type Node, type Tensor } from '../tensor/tensor.ts';
import { formatNode, formatTensor, formatType } from './print.ts';

/** A static list of nodes in the order in which they run, with what goes in, what stays and what comes out. */
export class Program {
  readonly name: string;
  readonly inputs: readonly Tensor[];
  readonly state: readonly Tensor[];
  readonly nodes: readonly Node[];
  readonly outputs: ReadonlyMap<string, Tensor>;

  constructor(
    name: string,
    graph: Pick<Program, 'inputs' | 'state' | 'nodes'>,
    outputs: ReadonlyMap<string, Tensor>,
  ) {
    this.name = name;
    this.inputs = graph.inputs;
    this.state = graph.state;
    this.nodes = neededNodes(graph.nodes, outputs);
    this.outputs = outputs;
  }

  /** One line per value: what it is, how it is made, its dtype and shape. */
  toString(): string {
    const lines = [
      `program ${this.name}`,
      ...this.inputs.map((tensor) => `input ${tensor.name}: ${formatType(tensor)}`),
      ...this.state.map((tensor) => `state ${tensor.name}: ${formatType(tensor)}`),
      ...this.nodes.map(formatNode),
      ...[...this.outputs].map(([name, tensor]) => `output ${name}: ${formatTensor(tensor)}`),
    ];
    return lines.join('\n  ');
  }
}

/** The op behind a node: one of src/ops, or a program's own. */
export function opOf(node: Node): Op {
  return node.op as Op;
}

/** Whether a backend has something to do for a node when the program runs: views and constants lie where they lie. */
export function isWork(node: Node): boolean {
  const { kind } = opOf(node);
  return kind !== 'view' && kind !== 'constant';
}

/**
 * Runs `build` once to record what it computes.
 * @param build gets the graph to declare inputs and state on; returns the values to be read after a run, by name
 */
export function trace(name: string, build: (graph: Graph) => Readonly<Record<string, Tensor>>): Program {
  const graph = new Graph();
  return new Program(name, graph, new Map(Object.entries(build(graph))));
}

/** Drops nodes that neither an output nor a change of state depends on. */
function neededNodes(nodes: readonly Node[], outputs: ReadonlyMap<string, Tensor>): Node[] {
  const needed = new Set<Tensor>(outputs.values());
  const kept = [...nodes].toReversed().filter((node) => {
    const keep = opOf(node).mutates !== undefined || node.outputs.some((tensor) => needed.has(tensor));
    if (keep) for (const tensor of node.inputs) needed.add(tensor);
    return keep;
  });
  return kept.toReversed();
}

/** Makes the replacement of one node in `graph`; `inputs` are the node's inputs as they are there. */
export type Replace = (node: Node, inputs: readonly Tensor[], graph: Graph) => readonly Tensor[];

/** A program with the same inputs, state and outputs whose nodes are made by `replace`. */
export function rewrite(program: Program, replace: Replace): Program {
  const graph = new Graph();
  const moved = new Map<Tensor, Tensor>();
  for (const tensor of program.inputs)
    moved.set(tensor, graph.input(tensor.name!, tensor.shape, tensor.dtype));
  for (const tensor of program.state)
    moved.set(tensor, graph.stateful(tensor.name!, tensor.shape, tensor.dtype));
  for (const node of program.nodes) {
    const made = replace(
      node,
      node.inputs.map((tensor) => moved.get(tensor)!),
      graph,
    );
    if (made.length !== node.outputs.length) {
      throw new RectiflowError(
        'internal',
        `${node.op.name}: replaced by ${made.length} values, not ${node.outputs.length}`,
      );
    }
    node.outputs.forEach((tensor, i) => moved.set(tensor, made[i]!));
  }
  const outputs = [...program.outputs].map(([name, tensor]) => [name, moved.get(tensor)!] as const);
  return new Program(program.name, graph, new Map(outputs));
}
