import type { LowPrecision, Op } from '../ops/op.ts';
import type { Half } from '../tensor/dtype.ts';
import type { Node, Tensor, TensorType } from '../tensor/tensor.ts';
import { type Program, opOf, rewrite } from './program.ts';

/**
 * Stores in half precision every value that the op making it and all ops reading it can hold so; everything else stays float32.
 *
 * Ops say which of their tensors may be halves (`lowPrecision`): the operands and results of products may, the residual
 * stream, norms, softmax statistics, losses, parameters and optimizer state may not. A view shares its input's fate, and a value
 * that is made again that of the first, so that both have the same bits. Products follow their data operand, so this one rule also
 * decides which products are made of halves.
 * @param half the type that the backend stores them in
 */
export function mixedPrecision(program: Program, half: Half): Program {
  const stored = lowPrecisionValues(program);
  return rewrite(program, (node, inputs, graph) => {
    const types = node.op.infer(inputs, node.attributes).map(({ shape, dtype }, i) => ({
      shape,
      dtype: stored.has(node.outputs[i]!) ? half : dtype,
    }));
    return graph.append(node.op, inputs, node.attributes, types, node.values);
  });
}

/** What an op says of the precision of its tensors. */
export function lowPrecisionOf(op: Op, inputs: readonly TensorType[]): LowPrecision | 'same' | undefined {
  return op.kind === 'view' ? 'same' : op.lowPrecision?.(inputs);
}

/** What is stored in fewer bits than float32 has. */
export function lowPrecisionValues(program: Program): ReadonlySet<Tensor> {
  const source = new Map<Tensor, Tensor>();
  const root = (tensor: Tensor): Tensor => source.get(tensor) ?? tensor;
  const refused = new Set<Tensor>(program.outputs.values());
  const candidates = new Set<Tensor>();
  for (const node of program.nodes) {
    node.repeats?.outputs.forEach((first, i) => source.set(node.outputs[i]!, root(first)));
    const rule = lowPrecisionOf(opOf(node), node.inputs);
    if (rule === 'same') {
      source.set(node.outputs[0]!, root(node.inputs[0]!));
      continue;
    }
    node.inputs.forEach((tensor, i) => {
      if (!rule?.inputs.includes(i)) refused.add(root(tensor));
    });
    node.outputs.forEach((tensor, i) => {
      if (rule?.outputs.includes(i)) candidates.add(root(tensor));
    });
  }
  // An output may have been refused under the name of a view of it.
  for (const tensor of Array.from(refused)) refused.add(root(tensor));
  const isStored = (tensor: Tensor): boolean => candidates.has(root(tensor)) && !refused.has(root(tensor));
  return new Set(program.nodes.flatMap((node: Node) => node.outputs.filter(isStored)));
}
