// Nodes that one kernel does at once, beyond the fusions of ops: to ask for a dispatch takes as long as many of a small model's take. What
// is joined here is this backend's own, and other backends never see it.
import {
  type Program as Lowered,
  Program,
  changesOf,
  memoryOf,
  opOf,
  touches,
  viewsBehindMakers,
} from '../../../program/index.ts';
import type { Fused } from '../../../ops/op.ts';
import type { Node, Tensor } from '../../../tensor/tensor.ts';
import type { Kernel } from '../dispatch.ts';

/** An op that stands for some nodes of one program. */
export interface JoinedOp extends Fused {
  readonly kernel: Kernel;
  /** Values, made by nodes, that are to lie one behind the other in memory. */
  readonly together?: readonly (readonly Tensor[])[];
}

export function isJoined(op: object): op is JoinedOp {
  return 'kernel' in op;
}

export interface StandIn extends Pick<JoinedOp, 'name' | 'kernel' | 'together'> {
  /** In the order in which they ran. */
  readonly nodes: readonly Node[];
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  /** What the outputs are, of the values that the nodes made; these themselves by default. */
  readonly outputsOf?: (made: (tensor: Tensor) => Tensor) => readonly Tensor[];
}

/** A node in the place of others. */
export function standIn({ name, kernel, together = [], nodes, inputs, outputs, outputsOf }: StandIn): Node {
  const op: JoinedOp = {
    kind: 'fused',
    name,
    kernel,
    together,
    infer: () => outputs.map(({ shape, dtype }) => ({ shape, dtype })),
    decompose(given) {
      const made = new Map(inputs.map((tensor, i) => [tensor, given[i]!]));
      for (const node of nodes) {
        const read = node.inputs.map((tensor) => made.get(tensor)!);
        const again = given[0]!.graph.append(node.op, read, node.attributes, node.outputs, node.values);
        node.outputs.forEach((tensor, i) => made.set(tensor, again[i]!));
      }
      const find = (tensor: Tensor): Tensor => made.get(tensor)!;
      return outputsOf ? outputsOf(find) : outputs.map(find);
    },
  };
  return { op, inputs, outputs, attributes: {}, values: undefined };
}

/** Puts nodes of a program in the place of others, where the order in which nodes read and change memory allows it. */
export class Joining {
  readonly #program: Lowered;
  readonly #memory: (tensor: Tensor) => Tensor;
  /** What stands in the place of each node. */
  readonly #places: (readonly Node[])[];
  readonly #placeOf: ReadonlyMap<Node, number>;
  readonly #readers = new Map<Tensor, Node[]>();

  constructor(program: Lowered) {
    this.#program = program;
    this.#memory = memoryOf(program);
    this.#places = program.nodes.map((node) => [node]);
    this.#placeOf = new Map(program.nodes.map((node, i) => [node, i]));
    for (const node of program.nodes)
      for (const tensor of new Set(node.inputs)) {
        if (!this.#readers.has(tensor)) this.#readers.set(tensor, []);
        this.#readers.get(tensor)!.push(node);
      }
  }

  get nodes(): readonly Node[] {
    return this.#program.nodes;
  }

  readersOf(tensor: Tensor): readonly Node[] {
    return this.#readers.get(tensor) ?? [];
  }

  /** The only node that reads a value; undefined where there are others, or the value is an output. */
  onlyReaderOf(tensor: Tensor): Node | undefined {
    const readers = this.readersOf(tensor);
    return readers.length === 1 && !this.isOutput(tensor) ? readers[0] : undefined;
  }

  isOutput(tensor: Tensor): boolean {
    return [...this.#program.outputs.values()].includes(tensor);
  }

  /**
   * @param group nodes that change no state, each of them in its own place still
   * @param at where the others stand: in the place of the group's first node, or of its last
   * @returns whether that could be
   */
  replace(group: readonly Node[], others: readonly Node[], at: 'first' | 'last'): boolean {
    const places = group.map((node) => this.#placeOf.get(node)!).toSorted((a, b) => a - b);
    if (places.some((place) => this.#places[place]![0] !== this.nodes[place])) return false;
    const [first, last] = [places[0]!, places.at(-1)!];
    const members = new Set(group);
    const seen: Node[] = [];
    for (let place = first; place <= last; place++) {
      const node = this.nodes[place]!;
      if (members.has(node)) {
        if (at === 'first' && seen.some((other) => this.#mustPrecede(other, node))) return false;
        if (at === 'last') seen.push(node);
        continue;
      }
      for (const other of this.#places[place]!) {
        if (opOf(other).kind === 'view') continue;
        if (at === 'last' && seen.some((member) => this.#mustPrecede(member, other))) return false;
        if (at === 'first') seen.push(other);
      }
    }
    for (const place of places) this.#places[place] = [];
    this.#places[at === 'first' ? first : last] = others;
    return true;
  }

  #mustPrecede(earlier: Node, later: Node): boolean {
    const [memory, changed] = [this.#memory, changesOf(later, this.#memory)];
    const made = [...earlier.outputs, ...changesOf(earlier, memory)];
    return touches(later, made, memory) || touches(earlier, changed, memory);
  }

  program(): Lowered {
    const nodes = this.#places.flat();
    const behind = viewsBehindMakers(nodes, memoryOf({ nodes }));
    return new Program(this.#program.name, { ...this.#program, nodes: behind }, this.#program.outputs);
  }
}
