import { constant } from '../ops/constant.ts';
import { add } from '../ops/elementwise.ts';
import { RectiflowError, shapeError } from '../tensor/errors.ts';
import type { Node, Tensor } from '../tensor/tensor.ts';
import { opOf } from './program.ts';
import { type Recall, keep, recompute } from './recompute.ts';

export interface GradOptions {
  /** What becomes of the values inside of blocks (`Graph.block`) until the backward pass reads them: `keep` by default. */
  readonly memory?: ActivationMemory | undefined;
}

/** `recompute`: values inside of a block are made again instead of kept. Gradients are the same to the bit. */
export type ActivationMemory = 'keep' | 'recompute';

/**
 * Reverse-mode differentiation: appends to the trace what computes the gradient of a scalar.
 * @param loss [] a value of a trace that is still being recorded
 * @param wrt the values to differentiate with respect to
 * @returns one gradient for each of `wrt`, with its shape
 */
export function grad(loss: Tensor, wrt: readonly Tensor[], { memory = 'keep' }: GradOptions = {}): Tensor[] {
  if (loss.shape.length !== 0) throw shapeError('grad', 'loss', 'a scalar, []', loss.shape);
  const { nodes } = loss.graph;
  const recall = memory === 'recompute' ? recompute(loss.graph) : keep;
  const wanted = dependents(nodes, wrt);
  const gradients = new Map<Tensor, Tensor>([[loss, constant(loss, [], Float64Array.of(1))]]);

  // Reversed over a copy: gradient rules append to the list.
  for (const node of [...nodes].toReversed()) {
    const grads = node.outputs.map((tensor) => gradients.get(tensor));
    if (grads.every((g) => g === undefined) || !node.inputs.some((tensor) => wanted.has(tensor))) continue;
    inputGradients(node, grads, recall).forEach((g, i) => {
      const input = node.inputs[i]!;
      if (g === undefined || !wanted.has(input)) return;
      const sofar = gradients.get(input);
      gradients.set(input, sofar === undefined ? g : add(sofar, g));
    });
  }
  return wrt.map((tensor) => {
    const g = gradients.get(tensor);
    if (g === undefined) {
      throw new RectiflowError(
        'value',
        `grad: the loss does not depend on ${tensor.name ?? `value %${tensor.id}`}: leave it out of the trainable parameters`,
      );
    }
    return g;
  });
}

/** All values that some of `sources` flow into. */
function dependents(nodes: readonly Node[], sources: readonly Tensor[]): Set<Tensor> {
  const reached = new Set(sources);
  for (const node of nodes) {
    if (node.inputs.some((tensor) => reached.has(tensor)))
      for (const tensor of node.outputs) reached.add(tensor);
  }
  return reached;
}

/** @param recall where a gradient rule finds a value that the node read or made */
function inputGradients(
  node: Node,
  grads: readonly (Tensor | undefined)[],
  recall: Recall,
): readonly (Tensor | undefined)[] {
  const op = opOf(node);
  const [inputs, outputs] = [node.inputs.map(recall), node.outputs.map(recall)];
  if (op.vjp) return op.vjp({ inputs, outputs, attributes: node.attributes, grads });
  if (op.kind === 'fused') return throughDecomposition({ ...node, inputs }, grads);
  throw new RectiflowError('value', `grad: ${op.name} has no gradient`);
}

/** The gradient of a fused op that has no rule of its own. */
function throughDecomposition(
  node: Node,
  grads: readonly (Tensor | undefined)[],
): readonly (Tensor | undefined)[] {
  const op = opOf(node);
  if (op.kind !== 'fused') return [];
  const { nodes } = node.inputs[0]!.graph;
  const start = nodes.length;
  const outputs = op.decompose(node.inputs, node.attributes);
  const gradients = new Map<Tensor, Tensor>();
  const accumulate = (tensor: Tensor, g: Tensor | undefined): void => {
    const sofar = gradients.get(tensor);
    if (g !== undefined) gradients.set(tensor, sofar === undefined ? g : add(sofar, g));
  };
  outputs.forEach((tensor, i) => accumulate(tensor, grads[i]));
  for (const inner of nodes.slice(start).toReversed()) {
    const innerGrads = inner.outputs.map((tensor) => gradients.get(tensor));
    if (innerGrads.every((g) => g === undefined)) continue;
    inputGradients(inner, innerGrads, keep).forEach((g, i) => accumulate(inner.inputs[i]!, g));
  }
  return node.inputs.map((tensor) => gradients.get(tensor));
}
