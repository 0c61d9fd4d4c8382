import type { DType } from './dtype.ts';
import { internalError } from './errors.ts';
import type { Shape } from './shape.ts';

/** What a shape rule sees and makes. */
export interface TensorType {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** Static settings of an op. Native backends get them as numbers, see `Op`. */
export type Attributes = Readonly<Record<string, number | readonly number[]>>;

/** What a value was made by; `Op` in src/ops refines it with gradients and a definition. */
export interface OpSignature {
  readonly name: string;
  infer(inputs: readonly TensorType[], attributes: Attributes): TensorType[];
}

/** Where a value comes from: fed by the caller, kept by the program between calls, or made by a node. */
export type Origin = 'input' | 'state' | 'node';

/** A handle on a value of a program that is being traced: a shape and a dtype, no numbers. */
export class Tensor implements TensorType {
  readonly graph: Graph;
  readonly id: number;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly origin: Origin;
  /** Inputs and state have names; values made by nodes may. */
  readonly name: string | undefined;

  constructor(graph: Graph, id: number, type: TensorType, origin: Origin, name?: string) {
    this.graph = graph;
    this.id = id;
    this.shape = type.shape;
    this.dtype = type.dtype;
    this.origin = origin;
    this.name = name;
  }
}

/** One op applied to values. */
export interface Node {
  readonly op: OpSignature;
  readonly inputs: readonly Tensor[];
  readonly outputs: readonly Tensor[];
  readonly attributes: Attributes;
  /** The numbers of a `constant` node; undefined for every other op. */
  readonly values: Float64Array | undefined;
  /** The node that this one does again, so that what that made need not be kept. */
  readonly repeats?: Node;
}

/** The list of nodes that tracing appends to, in the order in which they run. */
export class Graph {
  readonly inputs: Tensor[] = [];
  readonly state: Tensor[] = [];
  readonly nodes: Node[] = [];
  /** The nodes that `block` recorded together. */
  readonly blocks: (readonly Node[])[] = [];
  private count = 0;

  /** A value that the caller feeds at every call. */
  input(name: string, shape: Shape, dtype: DType = 'float32'): Tensor {
    return this.named(this.inputs, 'input', name, { shape, dtype });
  }

  /** A value that lives from call to call; ops that mutate their inputs change it in place. */
  stateful(name: string, shape: Shape, dtype: DType = 'float32'): Tensor {
    return this.named(this.state, 'state', name, { shape, dtype });
  }

  /** Appends a node and returns its outputs. `types` overrides what the op's shape rule says (mixed precision). */
  append(
    op: OpSignature,
    inputs: readonly Tensor[],
    attributes: Attributes,
    types: readonly TensorType[] = op.infer(inputs, attributes),
    values?: Float64Array,
  ): Tensor[] {
    for (const tensor of inputs) {
      if (tensor.graph !== this) throw internalError(`${op.name}: an input belongs to another trace`);
    }
    const outputs = types.map((type) => new Tensor(this, this.count++, type, 'node'));
    this.nodes.push({ op, inputs, outputs, attributes, values });
    return outputs;
  }

  /**
   * Records what `build` does as one block, such as a transformer's: the unit in which a backward pass can make values again that
   * it does not keep. A block within a block is part of the outer one.
   */
  block<T>(build: () => T): T {
    const start = this.nodes.length;
    const result = build();
    this.blocks.push(this.nodes.slice(start));
    return result;
  }

  /** Appends a node once more; `inputs` have the numbers that its own inputs have. */
  repeat(node: Node, inputs: readonly Tensor[]): readonly Tensor[] {
    const outputs = node.outputs.map((type) => new Tensor(this, this.count++, type, 'node'));
    this.nodes.push({ ...node, inputs, outputs, repeats: node });
    return outputs;
  }

  private named(list: Tensor[], origin: Origin, name: string, type: TensorType): Tensor {
    if (list.some((tensor) => tensor.name === name))
      throw internalError(`two ${origin} tensors are named ${name}`);
    const tensor = new Tensor(this, this.count++, type, origin, name);
    list.push(tensor);
    return tensor;
  }
}
