// What a program's nodes are done by: dispatches, before they have shaders and memory of a device.
import { type MemoryPlan, type Program, bytesOf, isWork } from '../../program/index.ts';
import { internalError } from '../../tensor/errors.ts';
import { sizeOf } from '../../tensor/shape.ts';
import type { Node, Tensor } from '../../tensor/tensor.ts';
import type { Dispatch, KernelContext, Scratch, Tuning } from './dispatch.ts';
import { kernelOf } from './joins/index.ts';
import { type Described, sumLater } from './later-sums.ts';
import type { Place } from './memory.ts';
import { type Range, spansOf, wholeMemory } from './neighbours.ts';
import { type Stretch, stretchesOf } from './stretches.ts';

export interface DescribedDispatch {
  readonly node: Node;
  readonly dispatch: Dispatch;
}

export interface DescribeOptions {
  readonly tuning: Tuning;
  /** The memory of a value. */
  readonly rangeOf: (tensor: Tensor) => Range;
  /** That a shader may see of a buffer. */
  readonly mostBytes: number;
  /** Whether what several nodes do may be done at once. */
  readonly isJoined: boolean;
}

/** All dispatches of a program, in their order. */
export function dispatchesOf(
  program: Program,
  plan: MemoryPlan,
  { tuning, rangeOf, mostBytes, isJoined }: DescribeOptions,
): DescribedDispatch[] {
  const stretches = (tensors: readonly Tensor[]): Stretch[] => stretchesOf(tensors, rangeOf, mostBytes);
  const byNodes = describe(program, {
    ...contextApart(plan, tuning),
    spans: (tensors) => spansOf(tensors, rangeOf, mostBytes),
    stretches,
  });
  return (isJoined ? sumLater(byNodes, program, plan, stretches) : byNodes).flatMap(({ node, dispatches }) =>
    dispatches.map((dispatch) => ({ node, dispatch })),
  );
}

export function describe({ nodes }: Pick<Program, 'nodes'>, context: KernelContext): Described[] {
  return nodes.filter(isWork).map((node) => {
    const kernel = kernelOf(node);
    if (kernel === undefined) throw internalError(`webgpu: ${node.op.name} should have been decomposed`);
    return { node, dispatches: kernel(node, context) };
  });
}

/** For nodes whose values have no place yet: each lies by itself. */
export function contextApart(plan: MemoryPlan, tuning: Tuning): KernelContext {
  const elementsOf = ({ shape }: Tensor): number => sizeOf(shape);
  return {
    tuning,
    isMade: (tensor) => !plan.leftOut.has(tensor),
    once: firstTime(),
    spans: (tensors) => tensors.map((operand) => ({ operand, elements: elementsOf(operand) })),
    stretches: (tensors) =>
      tensors.map((operand, index) => ({
        operand,
        elements: elementsOf(operand),
        members: [{ index, start: 0 }],
      })),
  };
}

/** @param placeOf of values, also of views */
export function rangesOf(placeOf: (tensor: Tensor) => Place, plan: MemoryPlan): (tensor: Tensor) => Range {
  return (tensor) => {
    // A binding has whole words; a value's memory has, too.
    const size = Math.max(4, Math.ceil(bytesOf(tensor) / 4) * 4);
    return { ...placeOf(tensor), size, isWhole: wholeMemory(tensor, plan) !== undefined };
  };
}

function firstTime(): (key: string) => boolean {
  const seen = new Set<string>();
  return (key) => !seen.has(key) && seen.add(key) !== undefined;
}

/** Bytes of memory that dispatches need beside values. */
export function scratchBytes(described: readonly DescribedDispatch[]): number {
  return [...largestScratch(described).values()].reduce((sum, operand) => sum + 4 * endOf(operand), 0);
}

/** Dispatches that name the same share it. */
export function largestScratch(described: readonly DescribedDispatch[]): Map<string, Scratch> {
  const largest = new Map<string, Scratch>();
  for (const { dispatch } of described)
    for (const { operand } of dispatch.arguments) {
      if (!('scratch' in operand)) continue;
      const known = largest.get(operand.scratch);
      if (known === undefined || endOf(operand) >= endOf(known)) largest.set(operand.scratch, operand);
    }
  return largest;
}

/** Where scratch memory ends, in elements. */
export function endOf({ start = 0, elements }: Scratch): number {
  return start + elements;
}
