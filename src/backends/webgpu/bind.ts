// Gives dispatches of a program's nodes their shaders, their memory and their numbers.
import type { MemoryPlan, Program } from '../../program/index.ts';
import { bytesPerElement } from '../../tensor/dtype.ts';
import { internalError } from '../../tensor/errors.ts';
import type { Node, Tensor } from '../../tensor/tensor.ts';
import { type DescribedDispatch, dispatchesOf, endOf, largestScratch, rangesOf } from './described.ts';
import { type Gpu, bindingAlignment, usage } from './device.ts';
import type { Argument, Dispatch, Groups, Tuning } from './dispatch.ts';
import type { Place } from './memory.ts';
import { type Range, joinNeighbours } from './neighbours.ts';
import type { Places } from './places.ts';
import { shaderText, uniformsOf } from './shader.ts';
import { fromBoundary } from './starts.ts';

export interface BoundDispatch {
  readonly node: Node;
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly groups: Groups;
}

export interface Bound {
  readonly dispatches: readonly BoundDispatch[];
  readonly shaders: number;
  release(): void;
}

export function bindDispatches(
  program: Program,
  plan: MemoryPlan,
  places: Places,
  { gpu, tuning, isJoined }: { readonly gpu: Gpu; readonly tuning: Tuning; readonly isJoined: boolean },
): Promise<Bound> {
  const mostBytes = gpu.device.limits.maxStorageBufferBindingSize;
  const rangeOf = rangesOf(places.placeOf, plan);
  const described = dispatchesOf(program, plan, { tuning, rangeOf, mostBytes, isJoined });
  return bindDescribed(described, { gpu, rangeOf, subgroups: tuning.subgroups });
}

/** @param rangeOf the memory of a value @param subgroups whether shaders may tell each other by them */
export async function bindDescribed(
  chosen: readonly DescribedDispatch[],
  given: {
    readonly gpu: Gpu;
    readonly rangeOf: (tensor: Tensor) => Range;
    readonly subgroups?: boolean | undefined;
  },
): Promise<Bound> {
  const { gpu, rangeOf, subgroups = false } = given;
  const mostBytes = gpu.device.limits.maxStorageBufferBindingSize;
  const largest = subgroups ? (gpu.facts.subgroupSizes?.largest ?? Infinity) : Infinity;
  const described = chosen.map(({ node, dispatch }) => ({ node, dispatch: bySubgroups(dispatch, largest) }));
  described.forEach(checkBuffers);
  const scratch = scratchMemory(described, gpu);
  const placed = described.map(({ node, dispatch }) => {
    const ranges = dispatch.arguments.map(({ operand, elements }): Range => {
      if ('scratch' in operand)
        return {
          buffer: scratch.get(operand.scratch)!,
          offset: 4 * (operand.start ?? 0),
          size: 4 * operand.elements,
          isWhole: true,
        };
      const range = rangeOf(operand);
      if (elements === undefined) return range;
      return { ...range, size: Math.ceil((elements * bytesPerElement(operand.dtype)) / 4) * 4 };
    });
    return { node, dispatch, ranges };
  });
  const joined = joinNeighbours(placed, mostBytes).map(fromBoundary);
  const uniforms = uniformMemory(joined, gpu);
  const texts = new Set<string>();
  const dispatches = joined.map(async ({ node, dispatch, ranges }): Promise<BoundDispatch> => {
    const areWritable = dispatch.arguments.map((_, i) => isWritable(dispatch.arguments, ranges, i));
    const code = shaderText(dispatch, areWritable);
    texts.add(code);
    const block = uniforms.get(dispatch);
    const kinds = areWritable.map((is) => (is ? 'storage' : 'read-only-storage') as GPUBufferBindingType);
    const layout = gpu.layout([...kinds, ...(block ? ['uniform' as const] : [])]);
    const pipeline = await gpu.pipeline(code, layout);
    const entries = [...ranges, ...(block ? [block] : [])].map((resource, binding) => ({
      binding,
      resource,
    }));
    return {
      node,
      pipeline,
      group: gpu.device.createBindGroup({ layout, entries }),
      groups: dispatch.groups,
    };
  });
  return {
    dispatches: await Promise.all(dispatches),
    shaders: texts.size,
    release() {
      for (const buffer of [...scratch.values(), ...uniforms.buffers]) buffer.destroy();
    },
  };
}

/** Storage buffers that every device can bind to a shader. */
const mostBuffers = 8;

function checkBuffers({ node, dispatch }: DescribedDispatch): void {
  const count = dispatch.arguments.length;
  if (count > mostBuffers)
    throw internalError(`webgpu: a dispatch of ${node.op.name} binds ${count} buffers`);
}

/** @param largest invocations of a subgroup */
function bySubgroups(dispatch: Dispatch, largest: number): Dispatch {
  const other = dispatch.bySubgroups;
  return other && largest <= other.lanes ? { ...dispatch, code: other.code } : dispatch;
}

/** A device takes no buffer for reading that the same dispatch writes to, be it elsewhere. */
function isWritable(all: readonly Argument[], places: readonly Place[], i: number): boolean {
  return all.some(({ isWritten }, j) => isWritten && places[j]!.buffer === places[i]!.buffer);
}

function scratchMemory(described: readonly DescribedDispatch[], gpu: Gpu): Map<string, GPUBuffer> {
  return new Map(
    Array.from(largestScratch(described), ([name, operand]) => {
      const buffer = gpu.buffer(4 * endOf(operand));
      const { values } = operand;
      if (values) gpu.device.queue.writeBuffer(buffer, 0, values);
      return [name, buffer];
    }),
  );
}

type Uniforms = Map<Dispatch, GPUBufferBinding> & { readonly buffers: readonly GPUBuffer[] };

/** Equal numbers are kept once. */
function uniformMemory(described: readonly DescribedDispatch[], gpu: Gpu): Uniforms {
  const blocks = new Map<string, { readonly bytes: ArrayBuffer; readonly offset: number }>();
  const places = new Map<Dispatch, { readonly offset: number; readonly size: number }>();
  let end = 0;
  for (const { dispatch } of described) {
    const bytes = uniformsOf(dispatch);
    if (bytes === undefined) continue;
    const key = new Uint32Array(bytes).join();
    const block = blocks.get(key) ?? { bytes, offset: end };
    if (!blocks.has(key)) end += Math.ceil(bytes.byteLength / bindingAlignment) * bindingAlignment;
    blocks.set(key, block);
    places.set(dispatch, { offset: block.offset, size: bytes.byteLength });
  }
  const buffer = gpu.buffer(end, usage.uniform);
  for (const { bytes, offset } of blocks.values()) gpu.device.queue.writeBuffer(buffer, offset, bytes);
  const bindings = new Map(Array.from(places, ([dispatch, place]) => [dispatch, { buffer, ...place }]));
  return Object.assign(bindings, { buffers: [buffer] });
}
