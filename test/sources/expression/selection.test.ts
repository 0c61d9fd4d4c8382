import { expect, test } from 'vitest';
import { Selection } from '../../../src/sources/expression/selection.ts';

test('of cells that are left out all are counted, and five are named', () => {
  const selection = new Selection('a.h5ad', 8, (row) => `cell ${row}`);
  for (let row = 0; row < 7; row++) selection.leaveOut(row, 'unselected cell');
  expect(selection.count).toBe(1);
  expect(selection.unused).toEqual([
    { what: 'unselected cell', count: 7, examples: [0, 1, 2, 3, 4].map((row) => `cell ${row}`) },
  ]);
  selection.checkAny();
  selection.leaveOut(7, 'damaged cell', 'Mend it.');
  expect(selection.unused[1]).toMatchObject({ count: 1, advice: 'Mend it.', areBad: true });
  expect(() => selection.checkAny()).toThrow(/no cell is left: 7 unselected cells; 1 damaged cell/);
});
