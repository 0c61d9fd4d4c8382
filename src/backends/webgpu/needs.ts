// What programs will take of a device, found out without taking any of it.
import { type MemoryPlan, type Program, bytesOf, planMemory } from '../../program/index.ts';
import type { TensorType } from '../../tensor/tensor.ts';
import type { DeviceNeeds } from '../backend.ts';
import { scratchBytes } from './bind.ts';
import type { DeviceFacts } from './contract.ts';
import type { Tuning } from './dispatch.ts';
import { Slabs } from './memory.ts';
import { planPlaces } from './places.ts';

interface Device {
  readonly tuning: Tuning;
  /** Bytes of a value. */
  readonly most: number;
  readonly facts: Pick<DeviceFacts, 'isSoftware'>;
}

/** @param programs lowered; they are kept side by side, over one state */
export function needsOf(programs: readonly Program[], { tuning, most, facts }: Device): DeviceNeeds {
  const state = new Map(programs.flatMap((program) => program.state.map((tensor) => [tensor.name!, tensor])));
  const planned = programs.map((program) => {
    const plan = planMemory(program);
    return {
      values: sum(planPlaces(program, plan, most).sizes),
      scratch: scratchBytes(program, plan, tuning),
      largest: largestValue(plan),
    };
  });
  const ofState = [...state.values()].map(bytesOf);
  return {
    state: slabBytes([...state.values()]),
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

/** Of buffers that hold so many values. */
function slabBytes(types: readonly TensorType[]): number {
  let total = 0;
  const slabs = new Slabs((size) => {
    total += size;
    return { size } as GPUBuffer;
  });
  for (const type of types) slabs.take(type);
  return total;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
