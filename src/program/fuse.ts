import type { Fusion, Joined, Op } from '../ops/op.ts';
import { ops } from '../ops/registry.ts';
import type { Node, Tensor } from '../tensor/tensor.ts';
import { changesOf, memoryOf, touches } from './location.ts';
import { Program, opOf } from './program.ts';

/**
 * Replaces pairs of nodes by the op that does both at once, wherever the backend has a kernel for it. Values stay what they
 * are, their dtypes too.
 * @param joining the ops whose fusions are looked for
 */
export function fuse(
  program: Program,
  hasKernel: (op: Op) => boolean,
  joining: readonly Op[] = Object.values(ops),
): Program {
  const known = joining
    .filter(hasKernel)
    .flatMap((op) => (op.fusions?.() ?? []).map((fusion): { op: Op; fusion: Fusion } => ({ op, fusion })));
  const memory = memoryOf(program);
  const nodes: (Node | undefined)[] = [...program.nodes];
  // The place in the order of what made each value, or changed it last: a later node may have joined it.
  const writers = new Map<Tensor, number>();

  const joined = (to: number): { from: number; node: Node } | undefined => {
    const consumer = nodes[to]!;
    for (const { op, fusion } of known) {
      if (fusion.consumer !== consumer.op) continue;
      for (const tensor of consumer.inputs) {
        const from = writers.get(tensor);
        const producer = from === undefined ? undefined : nodes[from];
        if (from === undefined || producer?.op !== fusion.producer) continue;
        const join = fusion.join(producer, consumer);
        if (join && mayJoin(program, nodes, { from, to, join, memory }))
          return { from, node: { op, ...join, values: undefined } };
      }
    }
    return undefined;
  };

  for (const to of nodes.keys()) {
    const found = joined(to);
    if (found !== undefined) {
      nodes[found.from] = undefined;
      nodes[to] = found.node;
    }
    const node = nodes[to]!;
    for (const tensor of [...node.outputs, ...changesOf(node, memory)]) writers.set(tensor, to);
  }
  return new Program(program.name, { ...program, nodes: viewsBehindMakers(nodes, memory) }, program.outputs);
}

const isView = (node: Node): boolean => opOf(node).kind === 'view';

interface Pair {
  /** The places of the producer and the consumer. */
  readonly from: number;
  readonly to: number;
  readonly join: Joined;
  readonly memory: (tensor: Tensor) => Tensor;
}

/**
 * The joined node runs where the consumer did: until then nothing may need what the producer writes, or change what it reads. A view
 * needs nothing, it is what reads the view that does.
 */
function mayJoin(
  program: Program,
  nodes: readonly (Node | undefined)[],
  { from, to, join, memory }: Pair,
): boolean {
  const [producer, consumer] = [nodes[from]!, nodes[to]!];
  const working = (first: number, end?: number): Node[] =>
    nodes.slice(first, end).filter((node) => node !== undefined && !isView(node)) as Node[];
  const between = working(from + 1, to);
  const changed = changesOf(producer, memory);
  const read = producer.inputs.map(memory);
  const dropped = producer.outputs.filter((tensor) => !join.outputs.includes(tensor));
  const readLater = [...program.outputs.values()].map(memory);

  const needed = between.some((node) => touches(node, [...producer.outputs, ...changed], memory));
  const disturbed = [...between, consumer].some((node) =>
    changesOf(node, memory).some((tensor) => read.includes(tensor)),
  );
  const missed =
    readLater.some((tensor) => dropped.includes(tensor)) ||
    working(to + 1).some((node) => touches(node, dropped, memory));
  // It would read in one place what it writes in another.
  const mixed =
    join.inputs.some((tensor) => producer.outputs.includes(memory(tensor))) ||
    consumer.inputs.filter((tensor) => changed.includes(memory(tensor))).length > 1;
  return !needed && !disturbed && !missed && !mixed;
}

/** Every view right behind the node that makes its memory, which may have moved: it is no work, and waits for nothing else. */
export function viewsBehindMakers(
  nodes: readonly (Node | undefined)[],
  memory: (tensor: Tensor) => Tensor,
): readonly Node[] {
  const makers = new Map<Tensor, number>();
  nodes.forEach((node, place) => {
    for (const tensor of node?.outputs ?? []) makers.set(tensor, place);
  });
  const viewPlace = (view: Node): number => (makers.get(memory(view.outputs[0]!)) ?? -1) + 0.5;
  const placed = nodes.flatMap((node, place) =>
    node ? [{ node, place: isView(node) ? viewPlace(node) : place }] : [],
  );
  return placed.toSorted((a, b) => a.place - b.place).map(({ node }) => node);
}
