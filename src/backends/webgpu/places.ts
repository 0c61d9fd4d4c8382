// Which memory each value of a program has.
import { type MemoryPlan, type Program, bytesOf, opOf } from '../../program/index.ts';
import { bytesPerElement } from '../../tensor/dtype.ts';
import { internalError } from '../../tensor/errors.ts';
import type { Node, Tensor } from '../../tensor/tensor.ts';
import type { Gpu } from './device.ts';
import { isJoined } from './joins/joined.ts';
import { type Place, type WebGpuBuffer, writeTo } from './memory.ts';
import { alignedBytes, takenAlike } from './neighbours.ts';
import { planSlots } from './slots.ts';

export interface Places {
  /** Of a value that is made; of a view, within what it is a view of. */
  placeOf(tensor: Tensor): Place;
  release(): void;
}

/** Where values of a program will lie that are not state: buffers by their number. */
export interface PlannedPlaces {
  /** The bytes of each buffer. */
  readonly sizes: readonly number[];
  readonly placeOf: ReadonlyMap<Tensor, { readonly buffer: number; readonly offset: number }>;
}

/**
 * State lies in its buffers; inputs, constants and outputs, which keep their memory between runs, each kind in a buffer of its own; everything
 * else in slots.
 * @param most bytes of a buffer: what lies together begins another one where it would be more
 */
export function planPlaces(program: Program, plan: MemoryPlan, most: number): PlannedPlaces {
  const sizes: number[] = [];
  const placeOf = new Map<Tensor, { readonly buffer: number; readonly offset: number }>();
  const state = new Set<Tensor>(program.state);
  const isOpen = (tensor: Tensor): boolean => !placeOf.has(tensor) && !state.has(tensor);
  const placeTogether = (tensors: readonly Tensor[]): void => {
    let end = Infinity;
    for (const tensor of tensors.filter(isOpen)) {
      const bytes = alignedBytes(bytesOf(tensor));
      if (end + bytes > most) {
        sizes.push(0);
        end = 0;
      }
      placeOf.set(tensor, { buffer: sizes.length - 1, offset: end });
      end += bytes;
      sizes[sizes.length - 1] = end;
    }
  };
  placeTogether(program.inputs);
  placeTogether(constantsOf(program).map(({ outputs }) => outputs[0]!));
  placeTogether([...new Set([...program.outputs.values()].map((tensor) => plan.locate(tensor).memory))]);
  const wanted = program.nodes.flatMap(({ op }) => (isJoined(op) ? (op.together ?? []) : []));
  for (const values of [...wanted, ...takenAlike(program, plan)]) placeTogether(values);
  const slots = planSlots(plan, new Set([...placeOf.keys(), ...state]));
  for (const [tensor, slot] of slots.slotOf) placeOf.set(tensor, { buffer: sizes.length + slot, offset: 0 });
  return { sizes: [...sizes, ...slots.sizes], placeOf };
}

function constantsOf({ nodes }: Program): Node[] {
  return nodes.filter((node) => opOf(node).kind === 'constant');
}

/** @throws RectiflowError where a value has no room on the device */
export function placeValues(
  program: Program,
  plan: MemoryPlan,
  buffers: ReadonlyMap<string, WebGpuBuffer>,
  gpu: Gpu,
): Places {
  const { sizes, placeOf } = planPlaces(program, plan, gpu.mostBytes);
  const own = sizes.map((bytes) => gpu.buffer(bytes));
  const places = new Map<Tensor, Place>();
  for (const tensor of program.state) places.set(tensor, buffers.get(tensor.name!)!.place);
  for (const [tensor, { buffer, offset }] of placeOf) places.set(tensor, { buffer: own[buffer]!, offset });
  for (const { outputs, values } of constantsOf(program))
    writeTo(gpu, places.get(outputs[0]!)!, outputs[0]!, values!);

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
