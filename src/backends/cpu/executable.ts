// Binds a lowered program to native memory and kernels.
import { type MemoryPlan, type Program, isWork, placeBeside, planMemory } from '../../program/index.ts';
import { type HostArray, bytesPerElement } from '../../tensor/dtype.ts';
import { RectiflowError, internalError } from '../../tensor/errors.ts';
import type { Node, Tensor } from '../../tensor/tensor.ts';
import type { Buffers, Executable, Finding } from '../backend.ts';
import { checkInputs, checkOutputs } from '../checks.ts';
import { inspectProgram } from '../inspect.ts';
import { allocate, memoryError, showBytes } from './allocate.ts';
import type { Arena } from './allocate.ts';
import type { CpuBuffer } from './buffer.ts';
import { type Places, describeWork } from './describe.ts';
import { type Region, readTensor, writeTensor } from './memory.ts';
import type { Handle, Isa, Native, Pool } from './native.ts';

/** Time that the nodes of one op took, over all runs. */
export interface OpTime {
  readonly op: string;
  readonly nodes: number;
  readonly milliseconds: number;
}

/** Time that one node of the program took, over all runs. */
export interface NodeTime {
  readonly node: Node;
  readonly milliseconds: number;
}

/** Where the time went. */
export interface Profile {
  readonly runs: number;
  /** The most expensive op first. */
  readonly ops: readonly OpTime[];
  /** In the order in which they run. */
  readonly nodes: readonly NodeTime[];
}

export interface CpuExecutable extends Executable {
  profile(): Profile;
}

/** What an executable needs of its backend. */
export interface Machine {
  readonly native: Native;
  readonly pool: Pool;
  readonly isa: Isa;
  /** Memory for what a program makes on its way, which the backend's next run overwrites. */
  arena(bytes: number): Arena;
  /** Calls `task` when everything asked for before is done. */
  exclusively<T>(task: () => T | Promise<T>): Promise<T>;
}

export function bindProgram(program: Program, buffers: Buffers, machine: Machine): CpuExecutable {
  const { native, exclusively } = machine;
  const plan = planMemory(program);
  const regions = placeValues(program, plan, buffers, machine);
  const work = program.nodes.filter(isWork);
  const regionOf = (tensor: Tensor): Region => {
    const { memory, start } = plan.locate(tensor);
    const region = regions.get(memory);
    if (region === undefined) throw internalError(`cpu: value %${tensor.id} has no memory`);
    return { ...region, offset: region.offset + start * bytesPerElement(tensor.dtype) };
  };
  const places: Places = { regionOf, isLeftOut: (tensor) => plan.leftOut.has(tensor) };
  const compiled = (nodes: readonly Node[]): Handle => compile(program.name, nodes, places, machine);
  const handle = compiled(work);
  let hasRun = false;
  const feed = (inputs: Readonly<Record<string, HostArray>>): void => {
    for (const tensor of program.inputs) writeTensor(tensor, regionOf(tensor), inputs[tensor.name!]!);
  };
  const runNode = async (node: Node): Promise<void> => {
    if (isWork(node)) await native.run(compiled([node]));
  };

  return {
    program,
    plan,
    async run(inputs: Readonly<Record<string, HostArray>>): Promise<void> {
      checkInputs(program, inputs);
      await exclusively(() => {
        feed(inputs);
        hasRun = true;
        return native.run(handle);
      });
    },
    async read<N extends string>(names: readonly N[]): Promise<Record<N, HostArray>> {
      const outputs = checkOutputs(program, names);
      return exclusively(() => {
        if (!hasRun) throw unread(program, names);
        const values = outputs.map(([name, tensor]) => [name, readTensor(tensor, regionOf(tensor))]);
        return Object.fromEntries(values) as Record<N, HostArray>;
      });
    },
    async inspect(inputs): Promise<Finding | undefined> {
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
    profile: () => profile(native, handle, work),
  };
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

function unread({ name }: Program, outputs: readonly string[]): RectiflowError {
  const what = outputs.length === 1 ? `output ${outputs[0]} was` : `outputs ${outputs.join(', ')} were`;
  return new RectiflowError('value', `program ${name}: ${what} read before a run`);
}

/**
 * Memory for every value that is stored: intermediates in the arena that all programs of a backend share; inputs, constants and
 * outputs, which are read after a run, beside it; state in its buffers.
 */
function placeValues(
  program: Program,
  plan: MemoryPlan,
  buffers: Buffers,
  { native, arena: sharedArena }: Machine,
): ReadonlyMap<Tensor, Region> {
  const regions = new Map<Tensor, Region>();
  const at = sharedArena(plan.arenaBytes);
  for (const { tensor, offset } of plan.placements) regions.set(tensor, at(offset));

  const { bytes, offsets } = placeBeside(program, plan);
  const memory = allocate(native, bytes);
  for (const [tensor, offset] of offsets) regions.set(tensor, { memory, offset });
  for (const { outputs, values } of program.nodes)
    if (values) writeTensor(outputs[0]!, regions.get(outputs[0]!)!, values);

  for (const tensor of program.state) {
    regions.set(tensor, { memory: (buffers.get(tensor.name!) as CpuBuffer).memory, offset: 0 });
  }
  return regions;
}

function profile(native: Native, handle: Handle, work: readonly Node[]): Profile {
  const { runs, nanoseconds } = native.profile(handle);
  const nodes = work.map((node, i) => ({ node, milliseconds: nanoseconds[i]! / 1e6 }));
  const ops = new Map<string, { op: string; nodes: number; milliseconds: number }>();
  for (const { node, milliseconds } of nodes) {
    const { name } = node.op;
    const entry = ops.get(name) ?? { op: name, nodes: 0, milliseconds: 0 };
    entry.nodes++;
    entry.milliseconds += milliseconds;
    ops.set(name, entry);
  }
  return { runs, ops: [...ops.values()].toSorted((a, b) => b.milliseconds - a.milliseconds), nodes };
}
