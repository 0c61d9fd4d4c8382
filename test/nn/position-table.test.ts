import { expect, it } from 'vitest';
import { positionTable } from '../../src/nn/position-table.ts';

it('encodes the column in the first half and the row in the second, sines before cosines', () => {
  const table = positionTable(2, 3, 8);
  const encode = (position: number): number[] => {
    const angles = [position, position / 100];
    return [...angles.map(Math.sin), ...angles.map(Math.cos)];
  };
  const token = (row: number, column: number): Float32Array =>
    Float32Array.from([...encode(column), ...encode(row)]);
  expect(table).toHaveLength(2 * 3 * 8);
  expect(table.slice(0, 8)).toEqual(token(0, 0));
  expect(table.slice(8, 16)).toEqual(token(0, 1));
  expect(table.slice(40, 48)).toEqual(token(1, 2));
});

it('refuses a width of no quarters', () => {
  expect(() => positionTable(2, 2, 6)).toThrow('positionTable: width must be a multiple of 4, got 6');
});

it('positions that are stretched cover those of the base, each side by itself', () => {
  const stretched = positionTable(4, 6, 8, { kind: 'stretched', base: [2, 3] });
  const plain = positionTable(2, 3, 8);
  const token = (table: Float32Array, place: number): number[] => [
    ...table.subarray(place * 8, (place + 1) * 8),
  ];
  expect(token(stretched, 0)).toEqual(token(plain, 0));
  // Row 2, column 4 lies where row 1, column 2 did.
  expect(token(stretched, 2 * 6 + 4)).toEqual(token(plain, 1 * 3 + 2));
  expect(stretched[1 * 8]).toBe(Math.fround(Math.sin(0.5)));
  const centred = positionTable(4, 6, 8, { kind: 'centred', base: [2, 3] });
  expect(centred[0]).toBe(Math.fround(Math.sin(-0.25)));
});

it('positions of the base itself are the whole numbers', () => {
  for (const kind of ['stretched', 'centred'] as const)
    expect(positionTable(2, 3, 8, { kind, base: [2, 3] })).toEqual(positionTable(2, 3, 8));
});
