// Tensors of one buffer as one binding, whatever lies between them: a shader is told where each of them begins.
import { internalError } from '../../tensor/errors.ts';
import { sizeOf } from '../../tensor/shape.ts';
import type { Tensor } from '../../tensor/tensor.ts';
import type { Scratch } from './dispatch.ts';
import { groupSize } from './items.ts';
import type { Range } from './neighbours.ts';

/** Memory from the beginning of a tensor to the end of another. */
export interface Stretch {
  /** The tensor that it begins with, of float32. */
  readonly operand: Tensor;
  readonly elements: number;
  /** The tensors that lie in it: which of those asked for, and the element that each begins at. */
  readonly members: readonly { readonly index: number; readonly start: number }[];
}

/**
 * @param tensors of float32, in any order
 * @param mostBytes that may be bound: so many stretches as it takes
 */
export function stretchesOf(
  tensors: readonly Tensor[],
  rangeOf: (tensor: Tensor) => Range,
  mostBytes: number,
): Stretch[] {
  const ranges = tensors.map((tensor, index) => ({ tensor, index, ...rangeOf(tensor) }));
  const byBuffer = new Map<GPUBuffer, typeof ranges>();
  for (const range of ranges) byBuffer.set(range.buffer, [...(byBuffer.get(range.buffer) ?? []), range]);
  return [...byBuffer.values()].flatMap((all) => {
    const stretches: (typeof ranges)[] = [];
    for (const range of all.toSorted((a, b) => a.offset - b.offset)) {
      const open = stretches.at(-1);
      if (open && range.offset + range.size - open[0]!.offset <= mostBytes) open.push(range);
      else stretches.push([range]);
    }
    return stretches.map((members): Stretch => {
      const { tensor: operand, offset } = members[0]!;
      const ends = members.map((member) => (member.offset - offset) / 4 + sizeOf(member.tensor.shape));
      return {
        operand,
        elements: Math.max(...ends),
        members: members.map((member) => ({ index: member.index, start: (member.offset - offset) / 4 })),
      };
    });
  });
}

/**
 * Tensors of one buffer.
 * @returns also the element that each begins at
 */
export function inOneBuffer(
  tensors: readonly Tensor[],
  stretches: (tensors: readonly Tensor[]) => readonly Stretch[],
): Pick<Stretch, 'operand' | 'elements'> & { readonly starts: readonly number[] } {
  const [stretch, ...more] = stretches(tensors);
  if (stretch === undefined || more.length > 0)
    throw internalError('webgpu: what one dispatch reads by a table is not in one buffer');
  const starts = new Map(stretch.members.map(({ index, start }) => [index, start]));
  return { ...stretch, starts: tensors.map((_, i) => starts.get(i)!) };
}

/** Above it, numbers of tables are in two parts: float32 has 24 digits. */
const part = 4096;

/** Whole numbers for shaders to look up, as `table` reads them. */
export function tableOf(numbers: readonly number[]): Scratch {
  const values = Float32Array.from(numbers.flatMap((number) => [Math.floor(number / part), number % part]));
  return { scratch: `table ${numbers.join(' ')}`, elements: values.length, values };
}

/** A function of WGSL: number `i` of the table that the argument `table` is. */
export const tableNumber: string = `fn tableNumber(i: u32) -> u32 { return u32(table(2u * i)) * ${part}u + u32(table(2u * i + 1u)); }`;

/**
 * Statements of an item `i` that declare the table's `row` that it is of, as the place of its first number, and `at`, which item of that row
 * it is. The first number of a row says at which workgroup its items begin; `u.rows` is how many rows there are.
 * @param columns numbers of a row
 */
export const findRow = (columns: number): string => `let block = i / ${groupSize}u;
  var low = 0u;
  for (var high = u.rows; high - low > 1u;) {
    let middle = (low + high) / 2u;
    if (tableNumber(middle * ${columns}u) <= block) { low = middle; } else { high = middle; }
  }
  let row = low * ${columns}u;
  let at = i - tableNumber(row) * ${groupSize}u;`;
