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
