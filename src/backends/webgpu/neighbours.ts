// Values that lie one behind the other, so that one dispatch does for all of them what the program says of each: a step of hundreds of
// parameters would otherwise be thousands of dispatches, which take longer to ask for than to do.
import { type MemoryPlan, type Program, bytesOf } from '../../program/index.ts';
import { sizeOf } from '../../tensor/shape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { bindingAlignment } from './device.ts';
import type { Argument, Dispatch, Span } from './dispatch.ts';
import { groupsOf } from './dispatch.ts';
import { groupSize } from './items.ts';

/** With what fills it up until the next value may be bound. Nobody writes there, so it stays 0. */
export function alignedBytes(bytes: number): number {
  return Math.ceil(bytes / bindingAlignment) * bindingAlignment;
}

/** Ops whose neighbours in a program do the same to one tensor after the other. */
const alike: ReadonlySet<string> = new Set(['adamw', 'adamwAverage', 'accumulate', 'lerpAssign', 'assign']);

/**
 * For each run of such nodes, what their n-th inputs are, such as all gradients: values that are there at the same time, so that it takes
 * no more memory to let them lie as the state does that is changed by them.
 */
export function takenAlike({ nodes }: Program, plan: MemoryPlan): Tensor[][] {
  const runs: Tensor[][][] = [];
  nodes.forEach(({ op, inputs }, i) => {
    if (!alike.has(op.name)) return;
    if (nodes[i - 1]?.op !== op) runs.push([]);
    runs.at(-1)!.push(inputs.map((tensor) => wholeMemory(tensor, plan) ?? tensor));
  });
  const lists = runs.flatMap((run) => run[0]!.map((_, position) => run.map((inputs) => inputs[position]!)));
  const isMade = (tensor: Tensor): boolean => tensor.origin === 'node';
  return lists.filter((list) => list.length > 1 && new Set(list).size === list.length && list.every(isMade));
}

/** The value that a tensor is, or is another shape of; undefined where it is a part of one. */
export function wholeMemory(tensor: Tensor, plan: MemoryPlan): Tensor | undefined {
  const { memory } = plan.locate(tensor);
  return sizeOf(memory.shape) === sizeOf(tensor.shape) ? memory : undefined;
}

/** Memory that something is bound to. */
export interface Range {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
  /** Whether it holds a whole value: behind a part of one lies what is others' to change. */
  readonly isWhole: boolean;
}

const isBehind = (next: Range, last: Range): boolean =>
  next.isWhole &&
  last.isWhole &&
  next.buffer === last.buffer &&
  next.offset === last.offset + alignedBytes(last.size);

export function spansOf(
  tensors: readonly Tensor[],
  rangeOf: (tensor: Tensor) => Range,
  mostBytes: number,
): Span[] {
  const spans: { operand: Tensor; elements: number; first: Range; last: Range }[] = [];
  for (const operand of tensors) {
    const [range, span] = [rangeOf(operand), spans.at(-1)];
    const isNext = span?.operand.dtype === operand.dtype && isBehind(range, span.last);
    if (span && isNext && range.offset + range.size - span.first.offset <= mostBytes) {
      span.elements =
        (range.offset - span.first.offset) / bytesOf({ shape: [], dtype: operand.dtype }) +
        sizeOf(operand.shape);
      span.last = range;
    } else spans.push({ operand, elements: sizeOf(operand.shape), first: range, last: range });
  }
  return spans.map(({ operand, elements }) => ({ operand, elements }));
}

/** A dispatch with the memory of its arguments. */
export interface Placed {
  readonly dispatch: Dispatch;
  readonly ranges: readonly Range[];
}

/**
 * Joins dispatches of items that do the same to neighbours in memory: the joined one goes through what lies between, too.
 * @param mostBytes that may be bound
 */
export function joinNeighbours<P extends Placed>(all: readonly P[], mostBytes: number): P[] {
  const joined: P[] = [];
  for (const next of all) {
    const last = joined.at(-1);
    const both = last && join(last, next, mostBytes);
    if (both) joined[joined.length - 1] = { ...last, ...both };
    else joined.push(next);
  }
  return joined;
}

function join(first: Placed, second: Placed, mostBytes: number): Placed | undefined {
  const [{ dispatch }, { dispatch: next }] = [first, second];
  if (dispatch.code !== next.code || !dispatch.arguments.some(({ isByItem }) => isByItem)) return undefined;
  const { count, ...sizes } = dispatch.sizes ?? {};
  const { count: more, ...others } = next.sizes ?? {};
  if (count === undefined || more === undefined) return undefined;
  if (!isSame(sizes, others) || !isSame(dispatch.numbers, next.numbers)) return undefined;
  const steps = dispatch.arguments.map((argument, i) =>
    stepOf(argument, first.ranges[i]!, second.ranges[i]!),
  );
  // Elements of float32 from the beginning of one to that of the other.
  const step = Math.max(...steps.map((each) => each ?? NaN));
  if (!steps.every((each) => each === step || each === 0) || !(step >= count)) return undefined;
  const ranges = first.ranges.map((range, i) =>
    steps[i] === 0 ? range : { ...range, size: 4 * step + second.ranges[i]!.size },
  );
  if (ranges.some(({ size }) => size > mostBytes)) return undefined;
  const total = step + more;
  const groups = groupsOf(Math.ceil(total / groupSize));
  return { dispatch: { ...dispatch, sizes: { ...sizes, count: total }, groups }, ranges };
}

/** How far a second argument lies behind a first: 0 where both are one and the same list; undefined where they do not fit. */
function stepOf({ isByItem }: Argument, first: Range, second: Range): number | undefined {
  if (!isByItem) {
    const isOne =
      first.buffer === second.buffer && first.offset === second.offset && first.size === second.size;
    return isOne ? 0 : undefined;
  }
  return isBehind(second, first) ? (second.offset - first.offset) / 4 : undefined;
}

function isSame(a: Readonly<Record<string, number>> = {}, b: Readonly<Record<string, number>> = {}): boolean {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => a[name] === b[name]);
}
