// Binds a lowered program to native memory and kernels.
import { type MemoryPlan, type Program, isWork, placeBeside, planMemory } from '../../program/index.ts';
import { type HostArray, bytesPerElement } from '../../tensor/dtype.ts';
import { internalError } from '../../tensor/errors.ts';
import type { Node, Tensor } from '../../tensor/tensor.ts';
import type { Executable, Finding, StateWatch } from '../backend.ts';
import { checkInputs, checkLives, checkOutputs, unreadError } from '../checks.ts';
import { FinalState } from '../final-state.ts';
import { Held, holding } from '../held.ts';
import { inspectProgram } from '../inspect.ts';
import { type Profile, profileOf } from '../profile.ts';
import { type Exclusively, Lifetime, type Lifetimes } from '../../tensor/lifetime.ts';
import { allocate, memoryError, showBytes } from './allocate.ts';
import type { Arena, SharedArena } from './allocate.ts';
import type { CpuBuffer } from './buffer.ts';
import { type Places, describeWork } from './describe.ts';
import { type Region, readTensor, writeTensor } from './memory.ts';
import type { Handle, Isa, Native, Pool } from './native.ts';

export interface CpuExecutable extends Executable {
  profile(): Profile;
}

/** What an executable needs of its backend. */
export interface Machine {
  readonly native: Native;
  readonly pool: Pool;
  readonly isa: Isa;
  /** Memory for what programs make on their way, which the backend's next run overwrites. */
  readonly arena: SharedArena;
  readonly exclusively: Exclusively;
  /** Of what the backend has made. */
  readonly lives: Lifetimes;
}

/** @throws RectiflowError where there is not so much memory; nothing is held then */
export function bindProgram(
  program: Program,
  buffers: ReadonlyMap<string, CpuBuffer>,
  machine: Machine,
): CpuExecutable {
  return holding(new CpuHeld(machine), (held) => bind(program, buffers, machine, held));
}

/** What a program holds of native memory and handles. */
class CpuHeld extends Held {
  readonly #machine: Machine;

  constructor(machine: Machine) {
    super();
    this.#machine = machine;
  }

  arena(bytes: number): Arena {
    const arena = this.#machine.arena.lease(bytes);
    this.add(() => arena.release());
    return arena;
  }

  memory(bytes: number): ArrayBuffer {
    const { native } = this.#machine;
    const memory = allocate(native, bytes);
    this.add(() => native.release(memory));
    return memory;
  }

  compile(name: string, work: readonly Node[], places: Places): Handle {
    const handle = compile(name, work, places, this.#machine);
    this.add(() => this.#machine.native.release(handle));
    return handle;
  }
}

function bind(
  program: Program,
  buffers: ReadonlyMap<string, CpuBuffer>,
  machine: Machine,
  held: CpuHeld,
): CpuExecutable {
  const { native, exclusively } = machine;
  const plan = planMemory(program);
  const regions = placeValues(program, plan, buffers, held);
  const work = program.nodes.filter(isWork);
  const regionOf = (tensor: Tensor): Region => {
    const { memory, start } = plan.locate(tensor);
    const region = regions.get(memory);
    if (region === undefined) throw internalError(`cpu: value %${tensor.id} has no memory`);
    return { ...region, offset: region.offset + start * bytesPerElement(tensor.dtype) };
  };
  const places: Places = { regionOf, isLeftOut: (tensor) => plan.leftOut.has(tensor) };
  const handle = held.compile(program.name, work, places);
  const life = machine.lives.add(
    new Lifetime(`program ${program.name}`, () => exclusively(() => held.release())),
  );
  let hasRun = false;
  const feed = (inputs: Readonly<Record<string, HostArray>>): void => {
    for (const tensor of program.inputs) writeTensor(tensor, regionOf(tensor), inputs[tensor.name!]!);
  };
  const runNode = async (node: Node): Promise<void> => {
    if (!isWork(node)) return;
    const alone = compile(program.name, [node], places, machine);
    try {
      await native.run(alone);
    } finally {
      native.release(alone);
    }
  };

  return {
    program,
    plan,
    async run(inputs: Readonly<Record<string, HostArray>>, watch?: StateWatch): Promise<void> {
      checkLives(program, life, buffers);
      checkInputs(program, inputs);
      const final = watch && new FinalState(program, watch);
      await exclusively(async () => {
        feed(inputs);
        hasRun = true;
        if (final === undefined) return native.run(handle);
        await native.run(handle, workOf(program, final), (count) => final.tell(count));
        final.end();
      });
    },
    async read<N extends string>(names: readonly N[]): Promise<Record<N, HostArray>> {
      life.check();
      const outputs = checkOutputs(program, names);
      return exclusively(() => {
        if (!hasRun) throw unreadError(program, names);
        const values = outputs.map(([name, tensor]) => [name, readTensor(tensor, regionOf(tensor))]);
        return Object.fromEntries(values) as Record<N, HostArray>;
      });
    },
    async inspect(inputs): Promise<Finding | undefined> {
      checkLives(program, life, buffers);
      checkInputs(program, inputs);
      return exclusively(() => {
        feed(inputs);
        hasRun = false;
        return inspectProgram(program, {
          run: runNode,
          read: (tensor) => (places.isLeftOut(tensor) ? undefined : readTensor(tensor, regionOf(tensor))),
        });
      });
    },
    profile() {
      life.check();
      return profile(native, handle, work);
    },
    dispose: () => life.dispose(),
  };
}

/** The node after which each batch is final, by its index among those that run. */
function workOf({ nodes }: Program, { batches }: FinalState): number[] {
  const places: number[] = [];
  nodes.forEach((node) => places.push((places.at(-1) ?? -1) + (isWork(node) ? 1 : 0)));
  // What no node touches is told of with the first that is done.
  return batches.map(({ after }) => Math.max(0, places[after] ?? 0));
}

/** Bytes of scratch memory that the kernels of a lowered program need on a machine. Takes none. */
export function scratchBytes(
  nodes: readonly Node[],
  { native, pool, isa }: Pick<Machine, 'native' | 'pool' | 'isa'>,
): number {
  return native.scratch(pool, isa, describeWork(nodes.filter(isWork)));
}

function compile(name: string, work: readonly Node[], places: Places, machine: Machine): Handle {
  const { native, pool, isa } = machine;
  try {
    return native.compile(pool, isa, describeWork(work, places));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOMEM') throw error;
    const wanted = `${showBytes(scratchBytes(work, machine))} of scratch memory were wanted for program ${name}`;
    throw memoryError(`${wanted}, but the system has not so much memory`, error);
  }
}

/**
 * Memory for every value that is stored: intermediates in the arena that all programs of a backend share; inputs, constants and
 * outputs, which are read after a run, beside it; state in its buffers.
 */
function placeValues(
  program: Program,
  plan: MemoryPlan,
  buffers: ReadonlyMap<string, CpuBuffer>,
  held: CpuHeld,
): ReadonlyMap<Tensor, Region> {
  const regions = new Map<Tensor, Region>();
  const arena = held.arena(plan.arenaBytes);
  for (const { tensor, offset } of plan.placements) regions.set(tensor, arena.at(offset));

  const { bytes, offsets } = placeBeside(program, plan);
  const memory = held.memory(bytes);
  for (const [tensor, offset] of offsets) regions.set(tensor, { memory, offset });
  for (const { outputs, values } of program.nodes)
    if (values) writeTensor(outputs[0]!, regions.get(outputs[0]!)!, values);

  for (const tensor of program.state) {
    regions.set(tensor, { memory: buffers.get(tensor.name!)!.memory, offset: 0 });
  }
  return regions;
}

function profile(native: Native, handle: Handle, work: readonly Node[]): Profile {
  const { runs, nanoseconds } = native.profile(handle);
  const nodes = work.map((node, i) => ({ node, milliseconds: nanoseconds[i]! / 1e6 }));
  return profileOf(nodes, runs);
}
