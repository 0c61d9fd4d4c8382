import type { Node, Tensor } from '../tensor/tensor.ts';
import { changesOf, memoryOf, touches } from './location.ts';
import { Program, opOf } from './program.ts';

/**
 * Moves every change of state up to where its inputs are made, so that they need not live on until the program ends: a gradient is
 * added to its sum as soon as it is there. Nothing moves across a node that reads or changes the same memory, so results stay
 * what they are.
 */
export function changeEarly(program: Program): Program {
  const memory = memoryOf(program);
  const order: Node[] = [];
  for (const node of program.nodes) {
    let place = order.length;
    if (opOf(node).mutates) while (place > 0 && mayPass(node, order[place - 1]!, memory)) place--;
    order.splice(place, 0, node);
  }
  return new Program(program.name, { ...program, nodes: order }, program.outputs);
}

/** Whether `node` may as well run before `other`, which stands before it. */
function mayPass(node: Node, other: Node, memory: (tensor: Tensor) => Tensor): boolean {
  const makes = node.inputs.some((tensor) => other.outputs.includes(tensor));
  const collides =
    touches(other, changesOf(node, memory), memory) || touches(node, changesOf(other, memory), memory);
  return !makes && !collides;
}
