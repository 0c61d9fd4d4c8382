// Which memory each value of a program has.
import { type MemoryPlan, type Program, bytesOf, opOf } from '../../program/index.ts';
import { bytesPerElement } from '../../tensor/dtype.ts';
import { internalError } from '../../tensor/errors.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { Gpu } from './device.ts';
import { type Place, type WebGpuBuffer, writeTo } from './memory.ts';
import { alignedBytes, takenAlike } from './neighbours.ts';
import { planSlots } from './slots.ts';

export interface Places {
  /** Of a value that is made; of a view, within what it is a view of. */
  placeOf(tensor: Tensor): Place;
  release(): void;
}

/**
 * State lies in its buffers; inputs, constants and outputs, which keep their memory between runs, each kind in a buffer of its own; everything
 * else in slots.
 */
export function placeValues(
  program: Program,
  plan: MemoryPlan,
  buffers: ReadonlyMap<string, WebGpuBuffer>,
  gpu: Gpu,
): Places {
  const places = new Map<Tensor, Place>();
  const own: GPUBuffer[] = [];
  const newBuffer = (bytes: number): GPUBuffer => {
    const buffer = gpu.buffer(bytes);
    own.push(buffer);
    return buffer;
  };
  const placeTogether = (tensors: readonly Tensor[]): void => {
    let end = 0;
    const offsets = tensors.map((tensor) => {
      const offset = end;
      end += alignedBytes(bytesOf(tensor));
      return offset;
    });
    if (tensors.length === 0) return;
    const buffer = newBuffer(end);
    tensors.forEach((tensor, i) => places.set(tensor, { buffer, offset: offsets[i]! }));
  };

  for (const tensor of program.state) places.set(tensor, buffers.get(tensor.name!)!.place);
  placeTogether(program.inputs);
  const constants = program.nodes.filter((node) => opOf(node).kind === 'constant');
  placeTogether(constants.map(({ outputs }) => outputs[0]!));
  for (const { outputs, values } of constants) writeTo(gpu, places.get(outputs[0]!)!, outputs[0]!, values!);
  const results = new Set([...program.outputs.values()].map((tensor) => plan.locate(tensor).memory));
  placeTogether([...results].filter((tensor) => !places.has(tensor)));
  for (const values of takenAlike(program, plan))
    placeTogether(values.filter((tensor) => !places.has(tensor)));
  const { sizes, slotOf } = planSlots(plan, places);
  const slots = sizes.map(newBuffer);
  for (const [tensor, slot] of slotOf) places.set(tensor, { buffer: slots[slot]!, offset: 0 });

  return {
    placeOf(tensor) {
      const { memory, start } = plan.locate(tensor);
      const place = places.get(memory);
      if (place === undefined) throw internalError(`webgpu: value %${tensor.id} has no memory`);
      const { buffer, offset } = place;
      return { buffer, offset: offset + start * bytesPerElement(tensor.dtype) };
    },
    release: () => own.forEach((buffer) => buffer.destroy()),
  };
}
