// What a gradient of parameters makes again of its sources it may as well read, where there is memory to keep it: to make it is a dispatch.
import { linearGradParamsOp } from '../../../ops/linear.ts';
import { activations } from '../../../ops/activations.ts';
import { type Program as Lowered, Program, bytesOf } from '../../../program/index.ts';
import type { Node, Tensor } from '../../../tensor/tensor.ts';

/** Bytes of values that are kept for it, of all that a program makes again. */
const mostBytes = 2 ** 27;

/** Undoes remaking in small programs. */
export function keepSmallValues(program: Lowered): Lowered {
  const makers = new Map(
    program.nodes.flatMap((node) => node.outputs.map((tensor) => [tensor, node] as const)),
  );
  const kept = new Set<Tensor>();
  const nodes = program.nodes.map((node): Node => {
    const value = remadeBy(node, makers);
    if (value === undefined) return node;
    kept.add(value);
    return { ...node, inputs: [value, node.inputs[1]!], attributes: { activation: activations.none } };
  });
  const bytes = [...kept].reduce((sum, value) => sum + bytesOf(value), 0);
  return bytes > mostBytes ? program : new Program(program.name, { ...program, nodes }, program.outputs);
}

/** The value that a node makes again, as it was first made; undefined where it makes none. */
function remadeBy({ op, inputs, attributes }: Node, makers: ReadonlyMap<Tensor, Node>): Tensor | undefined {
  const [source, , shift] = inputs;
  const isRemade = shift !== undefined || attributes['activation'] !== activations.none;
  if (op !== linearGradParamsOp || !isRemade) return undefined;
  const [value, from] = makers.get(source!)?.outputs ?? [];
  return from === source && value?.dtype === source!.dtype ? value : undefined;
}
