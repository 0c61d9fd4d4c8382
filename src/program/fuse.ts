import type { Fusion, Op } from '../ops/op.ts';
import { ops } from '../ops/registry.ts';
import type { Node, Tensor } from '../tensor/tensor.ts';
import { Program, opOf } from './program.ts';

/** Every fusion there is, with the op that does it. */
const fusions = Object.values(ops).flatMap((op) =>
  (op.fusions ?? []).map((fusion): { op: Op; fusion: Fusion } => ({ op, fusion })),
);

/**
 * Replaces pairs of nodes by the op that does both at once, wherever the backend has a kernel for it. Values stay what they
 * are, their dtypes too.
 */
export function fuse(program: Program, hasKernel: (op: string) => boolean): Program {
  const known = fusions.filter(({ op }) => hasKernel(op.name));
  const order = new Map(program.nodes.map((node, i) => [node, i]));
  const makers = new Map(program.nodes.flatMap((node) => node.outputs.map((tensor) => [tensor, node])));
  const readers = readersOf(program);
  const nodes: (Node | undefined)[] = [...program.nodes];

  /** The joined node runs where the consumer did: until then nothing may need what it makes or change what it reads. */
  const mayMove = (producer: Node, consumer: Node, kept: readonly Tensor[]): boolean => {
    const from = order.get(producer)!;
    const to = order.get(consumer)!;
    const unread = producer.outputs.every((tensor) =>
      (readers.get(tensor) ?? []).every((reader) =>
        kept.includes(tensor) ? reader === 'output' || order.get(reader)! >= to : reader === consumer,
      ),
    );
    const changes = (node: Node): boolean =>
      (opOf(node).mutates ?? []).some((i) => producer.inputs.includes(node.inputs[i]!));
    return unread && !program.nodes.slice(from, to).some(changes);
  };

  const joined = (consumer: Node): { producer: Node; node: Node } | undefined => {
    for (const { op, fusion } of known) {
      if (fusion.consumer !== consumer.op.name) continue;
      for (const tensor of consumer.inputs) {
        const producer = makers.get(tensor);
        if (producer?.op.name !== fusion.producer || nodes[order.get(producer)!] !== producer) continue;
        const join = fusion.join(producer, consumer);
        if (join && mayMove(producer, consumer, join.outputs))
          return { producer, node: { op, ...join, values: undefined } };
      }
    }
    return undefined;
  };

  program.nodes.forEach((consumer, i) => {
    const found = joined(consumer);
    if (found === undefined) return;
    nodes[order.get(found.producer)!] = undefined;
    nodes[i] = found.node;
  });
  const kept = nodes.filter((node) => node !== undefined);
  return new Program(program.name, { ...program, nodes: kept }, program.outputs);
}

function readersOf(program: Program): ReadonlyMap<Tensor, readonly (Node | 'output')[]> {
  const readers = new Map<Tensor, (Node | 'output')[]>();
  const add = (tensor: Tensor, reader: Node | 'output'): void => {
    const known = readers.get(tensor);
    if (known) known.push(reader);
    else readers.set(tensor, [reader]);
  };
  for (const node of program.nodes) for (const tensor of node.inputs) add(tensor, node);
  for (const tensor of program.outputs.values()) add(tensor, 'output');
  return readers;
}
