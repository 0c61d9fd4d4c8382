// Where values lie. A view has memory of its input, so whoever asks what a node reads or changes asks for memory, not for tensors.
import { valueError } from '../tensor/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import type { Node, Tensor } from '../tensor/tensor.ts';
import { mutatedInputs } from '../ops/op.ts';
import { type Program, opOf } from './program.ts';

export interface Location {
  /** The value whose memory it is: no view itself. */
  readonly memory: Tensor;
  /** The first of that value's elements. */
  readonly start: number;
}

/** Where every value of a program lies. @throws RectiflowError where a view is none of its input */
export function locate({ nodes }: Pick<Program, 'nodes'>): (tensor: Tensor) => Location {
  const views = new Map<Tensor, Location>();
  const location = (tensor: Tensor): Location => views.get(tensor) ?? { memory: tensor, start: 0 };
  for (const node of nodes) {
    if (opOf(node).kind !== 'view') continue;
    const first = startOf(node);
    checkView(node, first);
    const { memory, start } = location(node.inputs[0]!);
    views.set(node.outputs[0]!, { memory, start: start + first });
  }
  return location;
}

/** The element of its input that a view begins with. */
export function startOf(view: Node): number {
  const op = opOf(view);
  return (op.kind === 'view' ? op.start?.(view.inputs[0]!, view.attributes) : undefined) ?? 0;
}

/** The value whose memory a value lies in, for every value of a program. */
export function memoryOf(program: Pick<Program, 'nodes'>): (tensor: Tensor) => Tensor {
  const location = locate(program);
  return (tensor) => location(tensor).memory;
}

/** The memory that a node changes. */
export function changesOf(node: Node, memory: (tensor: Tensor) => Tensor): Tensor[] {
  return mutatedInputs(opOf(node), node.inputs.length).map((i) => memory(node.inputs[i]!));
}

/** Whether a node reads, or changes, one of these memories. */
export function touches(
  { inputs }: Node,
  memories: readonly Tensor[],
  memory: (tensor: Tensor) => Tensor,
): boolean {
  return inputs.some((tensor) => memories.includes(memory(tensor)));
}

function checkView({ op, inputs, outputs }: Node, first: number): void {
  const [input, output] = [inputs[0]!, outputs[0]!];
  const [held, end] = [sizeOf(input.shape), first + sizeOf(output.shape)];
  if (inputs.length !== 1 || outputs.length !== 1 || input.dtype !== output.dtype)
    throw valueError(
      op.name,
      'a view',
      'one value made of one other in its dtype',
      formatTypes(inputs, outputs),
    );
  if (!Number.isInteger(first) || first < 0 || end > held)
    throw valueError(op.name, 'a view', `within the ${held} elements of its input`, `${first} to ${end}`);
}

function formatTypes(inputs: readonly Tensor[], outputs: readonly Tensor[]): string {
  const list = (tensors: readonly Tensor[]): string =>
    tensors.map(({ dtype }) => dtype).join(', ') || 'nothing';
  return `${list(outputs)} of ${list(inputs)}`;
}
