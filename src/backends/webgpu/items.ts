// Kernels in which each element of an output is made by itself.
import { isHalf } from '../../tensor/dtype.ts';
import { sizeOf } from '../../tensor/shape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import { type Argument, type Dispatch, type Operand, groupsOf } from './dispatch.ts';

/** Invocations of a workgroup. */
export const groupSize = 64;

export interface Items extends Pick<Dispatch, 'sizes' | 'numbers'> {
  /** What the value is made of. */
  readonly reads: readonly Argument[];
  readonly output: Tensor;
  /** The body of a function that returns the output's element `i`. */
  readonly value: string;
  /** Further functions. */
  readonly functions?: string;
}

/** One dispatch that makes all elements of an output. */
export function items({ reads, output, value, functions = '', sizes = {}, numbers = {} }: Items): Dispatch {
  const type = output.dtype === 'int32' ? 'i32' : 'f32';
  const width = isHalf(output.dtype) ? 2 : 1;
  // Of an odd number the last pair has an element too many: the last again, in memory of the output that nobody reads.
  const store =
    width === 1
      ? 'set_y(i, valueAt(i));'
      : 'set2_y(i, vec2f(valueAt(2u * i), valueAt(min(2u * i + 1u, u.last))));';
  return eachItem({
    arguments: [...reads, { name: 'y', operand: output, isWritten: true, width }],
    count: Math.ceil(sizeOf(output.shape) / width),
    functions: `${functions}\nfn valueAt(i: u32) -> ${type} { ${value} }`,
    body: store,
    sizes: width === 1 ? sizes : { ...sizes, last: sizeOf(output.shape) - 1 },
    numbers,
  });
}

export interface EachItem extends Pick<Dispatch, 'arguments' | 'sizes' | 'numbers'> {
  readonly count: number;
  readonly functions?: string;
  /** Statements for item `i` of `count`. */
  readonly body: string;
}

/** One dispatch with an invocation for each of some items. */
export function eachItem(given: EachItem): Dispatch {
  const { count, functions = '', body, sizes, numbers = {} } = given;
  const code = `${functions}
@compute @workgroup_size(${groupSize})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let i = groupIndex(group, groups) * ${groupSize}u + lane;
  if (i >= u.count) { return; }
  ${body}
}`;
  const groups = groupsOf(Math.ceil(count / groupSize));
  return { code, arguments: given.arguments, sizes: { count, ...sizes }, numbers, groups };
}

/** Arguments that are read element by element, named `x0`, `x1`, ... */
export function reading(operands: readonly Operand[]): Argument[] {
  return operands.map((operand, i) => ({ name: `x${i}`, operand }));
}
