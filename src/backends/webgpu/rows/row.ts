// What a kernel of rows is, and what all ways to run it share.
import { isHalf } from '../../../tensor/dtype.ts';
import type { Argument, Dispatch, Operand } from '../dispatch.ts';
import type { Tensor } from '../../../tensor/tensor.ts';
import type { Join } from '../reducing.ts';

export interface RowTotal {
  /** What expressions behind it know it by. */
  readonly name: string;
  /** An expression of an element. */
  readonly term: string;
  readonly by?: Join;
  /** Of the reduced `v`. */
  readonly result?: string;
}

/** Totals that one pass over a row gives. */
export interface Pass {
  /** Statements for an element, before its terms. */
  readonly each?: string;
  readonly totals: readonly RowTotal[];
}

export interface RowOutput {
  readonly name: string;
  readonly tensor: Tensor;
  readonly value: string;
}

/** Of whole rows, in float32. */
export interface OfRows {
  readonly name: string;
  readonly operand: Operand;
  readonly value: string;
}

/**
 * Totals of rows, and then elements made of them. Expressions know an element by `row`, `col` and `at`, its place in an array of all
 * rows; and the totals of passes before theirs by their names.
 */
export interface Rows extends Pick<Dispatch, 'sizes' | 'numbers'> {
  readonly rows: number;
  readonly width: number;
  readonly reads: readonly Argument[];
  /** Statements for a row, before those for its elements. */
  readonly start?: string;
  readonly passes: readonly Pass[];
  /** Statements for an element, before the values of outputs. */
  readonly each?: string;
  /** [rows, width] */
  readonly outputs?: readonly RowOutput[];
  /** [rows]: of `row` and the totals. */
  readonly ofRows?: readonly OfRows[];
  /** What expressions call. */
  readonly functions?: string;
}

/** Statements that declare a total. @param of an expression of what was reduced, by its name */
export function ended({ name, result = 'v' }: RowTotal, of: (name: string) => string): string {
  return `let ${name}_v = ${of(name)}; let ${name} = ${result.replaceAll(/\bv\b/g, `${name}_v`)};`;
}

/** Elements that are made at once: halves are written in pairs. */
export function stepOf({ outputs = [] }: Rows): 1 | 2 {
  return outputs.some(({ tensor }) => isHalf(tensor.dtype)) ? 2 : 1;
}

export function writtenElements(given: Rows): Argument[] {
  const { outputs = [] } = given;
  return outputs.map(({ name, tensor }) => ({
    name,
    operand: tensor,
    isWritten: true,
    width: isHalf(tensor.dtype) ? stepOf(given) : 1,
  }));
}

/**
 * Statements that make one element of each output, or a pair.
 * @param index an expression of which one it is, of all
 * @param place statements that declare `row`, `col` and `at` of element `k` of it
 * @param isThere whether element `k` is one, where not all are
 */
export function makeElements(
  given: Rows,
  index: string,
  { place, isThere }: { place(k: number): string; isThere?: string },
): string {
  const { each = '', outputs = [] } = given;
  const [halves, others] = [true, false].map((wanted) =>
    outputs.filter(({ tensor }) => isHalf(tensor.dtype) === wanted),
  ) as [RowOutput[], RowOutput[]];
  const make = Array.from({ length: stepOf(given) }, (_, k) => {
    const set = others.map(({ name, value }) => `set_${name}(at, ${value});`).join(' ');
    return `{ ${place(k)} ${each}
    ${halves.map(({ name, value }) => `${name}_pair[${k}] = ${value};`).join(' ')}
    ${isThere && k > 0 && set !== '' ? `if (${isThere}) { ${set} }` : set} }`;
  });
  return `${halves.map(({ name }) => `var ${name}_pair = vec2f(0);`).join(' ')}
    ${make.join('\n    ')}
    ${halves.map(({ name }) => `set2_${name}(${index}, ${name}_pair);`).join(' ')}`;
}
