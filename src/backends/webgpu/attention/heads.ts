// What attention reads and writes: for each (batch, head) rows of d elements, somewhere in a row of all heads.
import { isHalf } from '../../../tensor/dtype.ts';
import { sizeOf } from '../../../tensor/shape.ts';
import type { Tensor } from '../../../tensor/tensor.ts';
import type { Argument, Dispatch, Operand } from '../dispatch.ts';
import { items } from '../items.ts';

/** Rows of heads in a tensor, for example the keys in qkv. Shaders know them by their name. */
export interface Heads {
  readonly name: string;
  /** The argument that they lie in. */
  readonly array: string;
  /** How many rows a batch has: queries or keys. */
  readonly rows: 'N' | 'M';
  /** Elements from a row to the next, and to the first head of a row. */
  readonly stride: number;
  readonly first: number;
}

/** Elements of a head that are read and written at once. */
export type HeadWidth = 1 | 4;

export const headWidth = (d: number): HeadWidth => (d % 4 === 0 ? 4 : 1);

export function headSizes(all: readonly Heads[]): Record<string, number> {
  return Object.fromEntries(
    all.flatMap(({ name, stride, first }) => [
      [`${name}Stride`, stride],
      [`${name}First`, first],
    ]),
  );
}

/** `NAME_at`, where a row of a head begins, in whole widths, and `NAME_load`, its elements 4 c to 4 c + 3: zeros beyond the end of a head. */
export function readingHeads({ name, array, rows }: Heads, width: HeadWidth): string {
  return `${placeOfHeads(name, rows, width)}
${
  width === 4
    ? `fn ${name}_load(at: u32, c: u32) -> vec4f { return ${array}4(at + c); }`
    : `fn ${name}_part(at: u32, e: u32) -> f32 { return select(0.0f, ${array}(at + min(e, u.d - 1u)), e < u.d); }
fn ${name}_load(at: u32, c: u32) -> vec4f {
  return vec4f(${[0, 1, 2, 3].map((j) => `${name}_part(at, 4u * c + ${j}u)`).join(', ')});
}`
}`;
}

/** `NAME_at`, and `NAME_store`, the opposite of `NAME_load`. */
export function writingHeads({ name, array, rows }: Heads, width: HeadWidth): string {
  return `${placeOfHeads(name, rows, width)}
fn ${name}_store(at: u32, c: u32, v: vec4f) { ${
    width === 4
      ? `set4_${array}(at + c, v);`
      : [0, 1, 2, 3]
          .map((j) => `if (4u * c + ${j}u < u.d) { set_${array}(at + 4u * c + ${j}u, v[${j}]); }`)
          .join(' ')
  } }`;
}

function placeOfHeads(name: string, rows: 'N' | 'M', width: HeadWidth): string {
  return `fn ${name}_at(batch: u32, head: u32, row: u32) -> u32 {
  return ((batch * u.${rows} + row) * u.${name}Stride + u.${name}First + head * u.d)${width === 1 ? '' : ` / ${width}u`};
}`;
}

export interface Written {
  readonly argument: Argument;
  /** What is to run when all of it has been written. */
  readonly after: readonly Dispatch[];
}

/**
 * An output that is written head by head. Halves are written in pairs: where a head is no multiple of them, and a pair may belong to two
 * invocations, it is written in float32 and rounded at the end.
 */
export function writtenHeads(name: string, tensor: Tensor, width: HeadWidth): Written {
  const isRounded = isHalf(tensor.dtype) && width === 1;
  const operand: Operand = isRounded
    ? { scratch: `attention ${name}`, elements: sizeOf(tensor.shape) }
    : tensor;
  const rounding = (): Dispatch =>
    items({ reads: [{ name: 'x', operand }], output: tensor, value: 'return x(i);' });
  return {
    argument: { name, operand, isWritten: true, width },
    after: isRounded ? [rounding()] : [],
  };
}
