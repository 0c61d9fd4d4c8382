// What native code is told of a program.
import type { Node, Tensor } from '../../tensor/tensor.ts';
import type { Region } from './memory.ts';
import { type Description, type NativeTensor, leftOut, nowhere } from './native.ts';

/** Where a program's values lie, and which of its outputs nobody wants. */
export interface Places {
  regionOf(tensor: Tensor): Region;
  isLeftOut(tensor: Tensor): boolean;
}

/**
 * @param work nodes that have kernels, in the order in which they run
 * @param places without any, the description is good for `Native.scratch` alone
 */
export function describeWork(work: readonly Node[], places?: Places): Description {
  const buffers: ArrayBuffer[] = [];
  const tensors: NativeTensor[] = [];
  const bufferIndex = new Map<ArrayBuffer, number>();
  const tensorIndex = new Map<Tensor, number>();
  const bufferOf = (memory: ArrayBuffer): number => {
    const buffer = bufferIndex.get(memory) ?? buffers.push(memory) - 1;
    bufferIndex.set(memory, buffer);
    return buffer;
  };
  const indexOf = (tensor: Tensor): number => {
    const known = tensorIndex.get(tensor);
    if (known !== undefined) return known;
    const region = places?.regionOf(tensor);
    const buffer = region ? bufferOf(region.memory) : nowhere;
    const { dtype, shape } = tensor;
    const index = tensors.push({ buffer, offset: region?.offset ?? 0, dtype, shape }) - 1;
    tensorIndex.set(tensor, index);
    return index;
  };
  const nodes = work.map(({ op, inputs, outputs, attributes }) => ({
    op: op.name,
    inputs: inputs.map(indexOf),
    outputs: outputs.map((tensor) => (places?.isLeftOut(tensor) ? leftOut : indexOf(tensor))),
    attributes,
  }));
  return { buffers, tensors, nodes };
}
