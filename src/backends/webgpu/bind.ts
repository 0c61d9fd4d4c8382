// Gives dispatches of a program's nodes their shaders, their memory and their numbers.
import { type MemoryPlan, type Program, bytesOf, isWork } from '../../program/index.ts';
import { internalError } from '../../tensor/errors.ts';
import type { Node } from '../../tensor/tensor.ts';
import { type Gpu, bindingAlignment, usage } from './device.ts';
import type { Argument, Dispatch, Groups, KernelContext, Operand, Tuning } from './dispatch.ts';
import { kernels } from './kernels/index.ts';
import type { Place } from './memory.ts';
import type { Places } from './places.ts';
import { shaderText, uniformsOf } from './shader.ts';

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

interface Described {
  readonly node: Node;
  readonly dispatch: Dispatch;
}

export async function bindDispatches(
  program: Program,
  plan: MemoryPlan,
  places: Places,
  { gpu, tuning }: { readonly gpu: Gpu; readonly tuning: Tuning },
): Promise<Bound> {
  const described = describe(program, plan, tuning);
  const scratch = scratchMemory(described, gpu);
  const uniforms = uniformMemory(described, gpu);
  const range = (operand: Operand): Place & { readonly size: number } => {
    if ('scratch' in operand)
      return { buffer: scratch.get(operand.scratch)!, offset: 0, size: 4 * operand.elements };
    // A binding has whole words; a value's memory has, too.
    return { ...places.placeOf(operand), size: Math.max(4, Math.ceil(bytesOf(operand) / 4) * 4) };
  };
  const texts = new Set<string>();
  const dispatches = described.map(async ({ node, dispatch }): Promise<BoundDispatch> => {
    const ranges = dispatch.arguments.map(({ operand }) => range(operand));
    ranges.forEach((each, i) => checkAligned(each, dispatch.arguments[i]!));
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

function describe({ nodes }: Program, plan: MemoryPlan, tuning: Tuning): Described[] {
  const seen = new Set<string>();
  const context: KernelContext = {
    tuning,
    isMade: (tensor) => !plan.leftOut.has(tensor),
    once: (key) => !seen.has(key) && seen.add(key) !== undefined,
  };
  return nodes.filter(isWork).flatMap((node) => {
    const kernel = kernels.get(node.op.name);
    if (kernel === undefined) throw internalError(`webgpu: ${node.op.name} should have been decomposed`);
    return kernel(node, context).map((dispatch) => ({ node, dispatch }));
  });
}

/** A device takes no buffer for reading that the same dispatch writes to, be it elsewhere. */
function isWritable(all: readonly Argument[], places: readonly Place[], i: number): boolean {
  return all.some(({ isWritten }, j) => isWritten && places[j]!.buffer === places[i]!.buffer);
}

function checkAligned({ offset }: Place, { name }: Argument): void {
  if (offset % bindingAlignment !== 0)
    throw internalError(
      `webgpu: ${name} begins ${offset % bindingAlignment} bytes behind where it may be bound`,
    );
}

function scratchMemory(described: readonly Described[], gpu: Gpu): Map<string, GPUBuffer> {
  const sizes = new Map<string, number>();
  for (const { dispatch } of described)
    for (const { operand } of dispatch.arguments)
      if ('scratch' in operand)
        sizes.set(operand.scratch, Math.max(operand.elements, sizes.get(operand.scratch) ?? 0));
  return new Map(Array.from(sizes, ([name, elements]) => [name, gpu.buffer(4 * elements)]));
}

type Uniforms = Map<Dispatch, GPUBufferBinding> & { readonly buffers: readonly GPUBuffer[] };

/** Equal numbers are kept once. */
function uniformMemory(described: readonly Described[], gpu: Gpu): Uniforms {
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
