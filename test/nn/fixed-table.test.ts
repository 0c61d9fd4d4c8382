import { describe, expect, it } from 'vitest';
import { checkTable, storedTables } from '../../src/nn/fixed-table.ts';
import { PositionTables, positionTable } from '../../src/nn/position-table.ts';
import { trace } from '../../src/program/index.ts';
import type { StoredTensor } from '../../src/tensor/stored-tensor.ts';
import { toHalfBits } from '../../src/tensor/half.ts';

const width = 16;
const positions = new PositionTables(width);
const table = positions.inFiles(2, 3);

function stored(
  rows: number,
  columns: number,
  change: (value: number, i: number) => number = (x) => x,
): StoredTensor {
  const data = positionTable(rows, columns, width).map(change);
  return { dtype: 'F32', shape: [1, rows * columns, width], data };
}

/** With the lowest 16 bits cut off, as bfloat16 has none. */
function cut(value: number): number {
  const bits = Int32Array.of(0);
  const view = new Float32Array(bits.buffer);
  view[0] = value;
  bits[0]! &= ~0xffff;
  return view[0]!;
}

describe('the positional table of a file', () => {
  it('is what the model computes', () => {
    expect(storedTables({ tables: [table] })).toEqual(new Map([['pos_embed', stored(2, 3)]]));
    expect(storedTables({})).toEqual(new Map());
  });

  it.each([
    ['as it is', stored(2, 3)],
    ['of another image size', stored(4, 8)],
    ['of one row', stored(1, 7)],
    ['of one token', stored(1, 1)],
    ['that was printed', stored(2, 3, (value) => Number(value.toPrecision(5)))],
    ['that was bfloat16', stored(2, 3, cut)],
    [
      'in float16',
      { dtype: 'F16', shape: [1, 6, width], data: toHalfBits('float16', positionTable(2, 3, width)) },
    ],
  ] as const)('%s is that of the model', (_, given) => {
    expect(() => checkTable(table, given, 'a.safetensors')).not.toThrow();
  });

  it.each([
    ['of another model', stored(2, 3, (value, i) => value + (i === 40 ? 3e-3 : 0))],
    ['that was trained', stored(2, 3, (value, i) => value + 1e-3 * Math.sin(i))],
    ['scaled', stored(2, 3, (value) => 2 * value)],
    ['of another order', { ...stored(2, 3), data: stored(2, 3).data.toReversed() as Float32Array }],
    ['with numbers that are none', stored(2, 3, (value, i) => (i === 5 ? NaN : value))],
    ['of zeros', stored(2, 3, () => 0)],
    ['of another width', { ...stored(2, 3), shape: [1, 12, 8] }],
    ['of another rank', { ...stored(2, 3), shape: [6, width] }],
  ] as const)('%s is refused', (_, given) => {
    expect(() => checkTable(table, given, 'a.safetensors')).toThrow(
      /^a\.safetensors: pos_embed \[.*\] is another table than the fixed one that this model computes, \[1, 6, 16\]/,
    );
  });

  it('is computed once for each grid', () => {
    const values = (rows: number, columns: number): Float64Array | undefined =>
      trace('table', (graph) => ({ table: positions.of(rows, columns, graph.input('x', [])) })).nodes[0]!
        .values;
    expect(values(2, 3)).toBe(values(2, 3));
    expect(values(3, 2)).not.toEqual(values(2, 3));
    expect(values(2, 3)).toEqual(Float64Array.from(positionTable(2, 3, width)));
  });
});
