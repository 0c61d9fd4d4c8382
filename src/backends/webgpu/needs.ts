// What programs will take of a device, found out without taking any of it.
import { type MemoryPlan, type Program, bytesOf, planMemory } from '../../program/index.ts';
import { bytesPerElement } from '../../tensor/dtype.ts';
import type { Tensor, TensorType } from '../../tensor/tensor.ts';
import type { DeviceNeeds } from '../backend.ts';
import type { DeviceFacts } from './contract.ts';
import { dispatchesOf, rangesOf, scratchBytes } from './described.ts';
import type { Tuning } from './dispatch.ts';
import { joinNodes } from './joins/index.ts';
import { type Place, Slabs } from './memory.ts';
import { planPlaces } from './places.ts';

interface Device {
  readonly tuning: Tuning;
  /** Bytes of a value. */
  readonly most: number;
  /** Bytes that a shader sees of a buffer. */
  readonly binding: number;
  readonly facts: Pick<DeviceFacts, 'isSoftware'>;
}

/** @param programs lowered; they are kept side by side, over one state */
export function needsOf(programs: readonly Program[], { tuning, most, binding, facts }: Device): DeviceNeeds {
  const state = new Map(programs.flatMap((program) => program.state.map((tensor) => [tensor.name!, tensor])));
  const slabs = placesInSlabs(state);
  const planned = programs.map((lowered) => {
    const program = joinNodes(lowered);
    const plan = planMemory(program);
    const { sizes, placeOf } = planPlaces(program, plan, most);
    const buffers = sizes.map((size) => ({ size }) as GPUBuffer);
    const placeIn = (tensor: Tensor): Place => {
      const { memory, start } = plan.locate(tensor);
      const own = placeOf.get(memory);
      const place = own
        ? { buffer: buffers[own.buffer]!, offset: own.offset }
        : slabs.placeOf.get(memory.name!)!;
      return { ...place, offset: place.offset + start * bytesPerElement(tensor.dtype) };
    };
    const rangeOf = rangesOf(placeIn, plan);
    const described = dispatchesOf(program, plan, { tuning, rangeOf, mostBytes: binding, isJoined: true });
    return { values: sum(sizes), scratch: scratchBytes(described), largest: largestValue(plan) };
  });
  const ofState = [...state.values()].map(bytesOf);
  return {
    state: slabs.bytes,
    values: sum(planned.map(({ values }) => values)),
    scratch: sum(planned.map(({ scratch }) => scratch)),
    largest: Math.max(0, ...ofState, ...planned.map(({ largest }) => largest)),
    most,
    isSeparate: !facts.isSoftware,
  };
}

function largestValue({ placements }: MemoryPlan): number {
  return Math.max(0, ...placements.map(({ tensor }) => bytesOf(tensor)));
}

/** Where state lies, in buffers that are only counted. */
function placesInSlabs(state: ReadonlyMap<string, TensorType>): {
  readonly bytes: number;
  readonly placeOf: ReadonlyMap<string, Place>;
} {
  let bytes = 0;
  const slabs = new Slabs((size) => {
    bytes += size;
    return { size } as GPUBuffer;
  });
  const placeOf = new Map(Array.from(state, ([name, type]) => [name, slabs.take(type)]));
  return { bytes, placeOf };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
