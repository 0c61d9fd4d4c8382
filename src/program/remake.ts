// Rematerialisation of what costs next to nothing: an op of the backward pass that works through a value anyway can make it on the
// way (`remakes` in the op's definition) of what is kept for other reasons. The value then dies in the forward pass.
import type { Node, Tensor } from '../tensor/tensor.ts';
import { changesOf, memoryOf } from './location.ts';
import { bytesOf } from './memory-plan.ts';
import { Program, opOf } from './program.ts';

/**
 * Lets the last readers of a value make it again, wherever that frees more memory than it takes. Results stay what they are, to the
 * bit.
 */
export function remake(program: Program): Program {
  const nodes = [...program.nodes];
  const memory = memoryOf(program);
  const uses = usesOf(program, memory);
  const lastUse = (tensor: Tensor): number => uses.get(memory(tensor))?.at(-1) ?? -1;

  const isChanged = (tensors: readonly Tensor[], from: number, to: number): boolean =>
    nodes
      .slice(from, to)
      .flatMap((node) => changesOf(node, memory))
      .some((changed) => tensors.some((tensor) => memory(tensor) === changed));

  /** The node at `time`, reading the sources of what the node at `from` made. */
  const remade = (from: number, time: number): Node | undefined => {
    const producer = nodes[from]!;
    const consumer = nodes[time];
    for (const rule of consumer === undefined ? [] : (opOf(consumer).remakes?.() ?? [])) {
      const sources = rule.producer === producer.op ? rule.remake(producer, consumer!) : undefined;
      if (sources && !isChanged(sources.inputs, from, time)) return { ...consumer!, ...sources };
    }
    return undefined;
  };

  /** Bytes that live longer for some nodes, by their times, to read them. */
  const prolonged = (readers: ReadonlyMap<number, Node>): number => {
    const sources = new Set<Tensor>();
    for (const [time, { inputs }] of readers)
      for (const tensor of inputs)
        if (lastUse(tensor) < time && hasPlace(tensor)) sources.add(memory(tensor));
    return [...sources].reduce((sum, tensor) => sum + bytesOf(tensor), 0);
  };
  const hasPlace = (tensor: Tensor): boolean => memory(tensor).origin === 'node';

  program.nodes.forEach((producer, from) => {
    for (const value of producer.outputs) {
      const times = uses.get(value) ?? [];
      const readers = new Map<number, Node>();
      for (const time of times.toReversed()) {
        const node = remade(from, time);
        if (node === undefined) break;
        readers.set(time, node);
      }
      if (readers.size === 0 || prolonged(readers) >= bytesOf(value)) continue;
      uses.set(value, times.slice(0, times.length - readers.size));
      for (const [time, node] of readers) {
        nodes[time] = node;
        for (const tensor of node.inputs) addUse(uses, memory(tensor), time);
      }
    }
  });
  return new Program(program.name, { ...program, nodes }, program.outputs);
}

type Uses = Map<Tensor, readonly number[]>;

/** When the memory of a value is read, in order; the outputs are read when all is done. */
function usesOf(program: Program, memory: (tensor: Tensor) => Tensor): Uses {
  const uses: Uses = new Map();
  program.nodes.forEach((node, time) => {
    if (opOf(node).kind !== 'view') for (const tensor of node.inputs) addUse(uses, memory(tensor), time);
  });
  for (const tensor of program.outputs.values()) addUse(uses, memory(tensor), program.nodes.length);
  return uses;
}

function addUse(uses: Uses, tensor: Tensor, time: number): void {
  const times = uses.get(tensor) ?? [];
  if (!times.includes(time))
    uses.set(
      tensor,
      [...times, time].toSorted((a, b) => a - b),
    );
}
