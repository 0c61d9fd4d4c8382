import type { Dense } from '../../ops/op.ts';
import type { Program } from '../../program/index.ts';
import { opOf, startOf } from '../../program/index.ts';
import { isHalf } from '../../tensor/dtype.ts';
import { internalError } from '../../tensor/errors.ts';
import { roundToHalf } from '../../tensor/half.ts';
import { type Shape, sizeOf } from '../../tensor/shape.ts';
import type { Node, Tensor } from '../../tensor/tensor.ts';

/** The numbers of every value of a program that is running. */
export type Values = Map<Tensor, Dense>;

type Allocate = (tensor: Tensor) => Dense['data'];

/**
 * Runs a program of primitives, one node after the other, each by its plain implementation.
 * @param values holds inputs and state; the outputs of all nodes are added
 * @param allocate makes the memory of a value, in the float type the backend works in
 */
export function evaluate(program: Program, values: Values, allocate: Allocate): void {
  for (const node of program.nodes) evaluateNode(node, values, allocate);
}

/** @param values holds what the node reads; its outputs are added */
export function evaluateNode(node: Node, values: Values, allocate: Allocate): void {
  const op = opOf(node);
  const inputs = node.inputs.map((tensor) => values.get(tensor)!);
  if (op.kind === 'fused') throw internalError(`reference: ${op.name} should have been decomposed`);
  if (op.kind === 'view') {
    const output = node.outputs[0]!;
    values.set(output, part(inputs[0]!, startOf(node), output.shape));
    return;
  }
  const outputs = node.outputs.map((tensor) => ({ shape: tensor.shape, data: allocate(tensor) }));
  node.outputs.forEach((tensor, i) => values.set(tensor, outputs[i]!));
  if (op.kind === 'constant') outputs[0]!.data.set(node.values!);
  else op.evaluate(inputs, outputs, node.attributes);
  node.outputs.forEach((tensor, i) => {
    if (isHalf(tensor.dtype)) roundToHalf(tensor.dtype, outputs[i]!.data);
  });
}

/** Elements of x where they lie. */
function part({ data }: Dense, start: number, shape: Shape): Dense {
  return { shape, data: data.subarray(start, start + sizeOf(shape)) };
}
