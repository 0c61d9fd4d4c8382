// Activation checkpointing (Chen et al. 2016, arXiv:1604.06174): memory for time. Of a block (`Graph.block`) only what others read
// is kept, its result; the rest is made again when the backward pass comes to the block, at the cost of its forward pass.
import type { Graph, Node, Tensor } from '../tensor/tensor.ts';

/** Where the backward pass finds a value of the forward pass. */
export type Recall = (tensor: Tensor) => Tensor;

/** As it is: it lives until then. */
export const keep: Recall = (tensor) => tensor;

/**
 * Values inside of blocks are made again, by the nodes that made them and to the same bits, at the first use of one. The state that a
 * block reads must not change before.
 */
export function recompute(graph: Graph): Recall {
  const makers = innerValues(graph);
  const again = new Map<Tensor, Tensor>();
  const recall = (tensor: Tensor): Tensor => {
    const node = makers.get(tensor);
    if (node === undefined) return tensor;
    if (!again.has(tensor)) {
      graph.repeat(node, node.inputs.map(recall)).forEach((made, i) => again.set(node.outputs[i]!, made));
    }
    return again.get(tensor)!;
  };
  return recall;
}

/** What is read within the block that makes it and nowhere else, by what makes it. Constants have memory of their own anyway. */
function innerValues(graph: Graph): Map<Tensor, Node> {
  const blockOf = new Map(graph.blocks.flatMap((nodes) => nodes.map((node) => [node, nodes] as const)));
  const makers = new Map<Tensor, Node>();
  for (const node of blockOf.keys())
    if (node.values === undefined) for (const tensor of node.outputs) makers.set(tensor, node);
  for (const node of graph.nodes) {
    for (const tensor of node.inputs) {
      const maker = makers.get(tensor);
      if (maker && blockOf.get(maker) !== blockOf.get(node)) makers.delete(tensor);
    }
  }
  return makers;
}
