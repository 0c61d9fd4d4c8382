// Numbers that a program computes from the shape of its samples, and that files of weights carry all the same, for whoever else reads
// them. They are no state: nothing trains, averages or draws them.
import { fileError, formatShape } from '../tensor/errors.ts';
import { type Shape, sizeOf } from '../tensor/shape.ts';
import type { StoredTensor, StoredTensors } from '../tensor/stored-tensor.ts';
import { toFloat32 } from '../tensor/to-float32.ts';
import type { Module } from './module.ts';

export interface FixedTable {
  /** That it has in files. */
  readonly name: string;
  /** For samples of the shape that the module is made for. */
  readonly shape: Shape;
  values(): Float32Array;
  /**
   * Whether a file's table is what the module computes for samples of some shape, which need not be its own.
   * @param tolerance of each number
   */
  matches(values: Float32Array, shape: Shape, tolerance: number): boolean;
}

/** The tables of a module as files carry them. */
export function storedTables({ tables = [] }: Pick<Module, 'tables'>): StoredTensors {
  return new Map(
    tables.map((table) => [table.name, { dtype: 'F32', shape: table.shape, data: table.values() }]),
  );
}

/**
 * Refuses a table that is not what the module computes: the weights beside it were trained with another.
 * @param origin the file that it is from
 * @throws RectiflowError that names file and table
 */
export function checkTable(table: FixedTable, stored: StoredTensor, origin: string): void {
  const { name } = table;
  const { shape } = stored;
  const values = toFloat32(stored);
  if (values.length === sizeOf(shape) && table.matches(values, shape, toleranceOf(values))) return;
  const problem =
    `${name} ${formatShape(shape)} is another table than the fixed one that this model computes, ` +
    `${formatShape(table.shape)} for samples of its own size: with it the weights are those of another model`;
  throw fileError(origin, problem, 'Give weights that were trained with the table of the public release');
}

/** What was stored in half precision on its way here is rounded as coarsely: the lowest bits of all numbers are zero. */
function toleranceOf(values: Float32Array): number {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length).reduce((a, b) => a | b, 0);
  const [bfloat16, float16] = [0xffff, 0x1fff].map((low) => (bits & low) === 0);
  return bfloat16 ? 2 ** -8 : float16 ? 2 ** -11 : 1e-4;
}
