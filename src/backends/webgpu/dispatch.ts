// What kernels are made of: each turns a node into dispatches, which the executable gives memory and binds.
import type { Node, Tensor } from '../../tensor/tensor.ts';
import type { Stretch } from './stretches.ts';
import type { Tuning } from './tuning/work.ts';

export type { Tuning } from './tuning/work.ts';

/** Memory of a program's own beside its values: dispatches that name the same share it. */
export interface Scratch {
  readonly scratch: string;
  /** In float32. */
  readonly elements: number;
  /** The first of them in the memory of that name, 0 by default: a multiple of 64. */
  readonly start?: number;
  /** What it holds from the start, where no dispatch writes it: equal names hold equal numbers. */
  readonly values?: Float32Array<ArrayBuffer>;
}

export type Operand = Tensor | Scratch;

/** Elements that are read or written at once: an array's extents must be multiples of it. */
export type Width = 1 | 2 | 4;

/**
 * An array that a shader reads or writes, by functions that know how its elements are stored. Of an argument `x` they are `x(i)` of width
 * 1, `x2(i)` and `x4(i)` of elements i W to i W + W - 1 as vectors; and `set_x(i, value)`, `set2_x`, `set4_x` of one that is written.
 * What has two bytes for an element can be written in pairs only.
 */
export interface Argument {
  readonly name: string;
  readonly operand: Operand;
  /** Whether the shader changes it; it may read it, too. */
  readonly isWritten?: boolean;
  readonly width?: Width;
  /** Whether item i reads and writes element i of it alone: such dispatches of neighbours in memory may be joined. */
  readonly isByItem?: boolean;
  /** How many elements are bound, where they are more than the operand's: neighbours of its in memory. */
  readonly elements?: number;
  /** Where the operand begins behind what is bound: the name of the size that says how far, in elements of the width. */
  readonly start?: string;
}

/** One call of one shader. */
export interface Dispatch {
  /** WGSL with the function `main`: sees the arguments by their functions, and the numbers as members of `u`. */
  readonly code: string;
  /** The same for devices with subgroups, of which none has more than so many invocations. */
  readonly bySubgroups?: { readonly lanes: number; readonly code: string };
  readonly arguments: readonly Argument[];
  /** Whole numbers below 2^32, which the shader knows as `u.NAME`: the same shader serves all shapes. */
  readonly sizes?: Readonly<Record<string, number>>;
  /** The same in float32. */
  readonly numbers?: Readonly<Record<string, number>>;
  readonly groups: Groups;
  /** All that it does, where that is to add up parts: then others may be added up with them, later. */
  readonly sums?: readonly PartsSum[];
}

/** target[i] = the sum over all parts of from[part elements + i]. */
export interface PartsSum {
  readonly target: Tensor;
  readonly from: Scratch;
  readonly parts: number;
  readonly elements: number;
}

/** Workgroups along each axis. */
export type Groups = readonly [x: number, y: number, z: number];

/** What kernels know of the program that they are part of, and of the device. */
export interface KernelContext {
  /** Whether anything reads an optional output. */
  isMade(tensor: Tensor): boolean;
  /** True for the first that asks for this key: what is done once for several nodes. */
  once(key: string): boolean;
  /** Tensors as spans of memory: those that lie one behind the other, with nothing but zeros between them, are one. */
  spans(tensors: readonly Tensor[]): readonly Span[];
  /** Tensors of float32 as one binding for each buffer that they lie in, with whatever lies between them. */
  stretches(tensors: readonly Tensor[]): readonly Stretch[];
  readonly tuning: Tuning;
}

/** A tensor, and what lies behind it. */
export interface Span {
  readonly operand: Tensor;
  readonly elements: number;
}

/** @returns in the order in which they run */
export type Kernel = (node: Node, context: KernelContext) => readonly Dispatch[];

/** No axis may have more workgroups. */
export const mostGroups = 65_535;

/** So many workgroups, as many axes as they need. A shader counts them by `groupIndex`, and skips those that are too many. */
export function groupsOf(count: number): Groups {
  const x = Math.max(1, Math.min(count, mostGroups));
  const y = Math.ceil(count / x) || 1;
  return [Math.ceil(count / y) || 1, y, 1];
}
