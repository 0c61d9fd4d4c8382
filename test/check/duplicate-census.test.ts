import { expect, test } from 'vitest';
import { DuplicateCensus } from '../../src/check/duplicate-census.ts';

test('all copies are counted, and no more of either kind named than asked for', () => {
  const census = new DuplicateCensus();
  for (let index = 0; index < 7; index++) {
    census.add(index, 1);
    census.tell(index, index < 4 ? 'a cat' : 'a dog');
  }
  expect(census.report(String, 2)).toEqual({
    count: 3,
    pairs: [
      ['1', '0'],
      ['2', '0'],
    ],
    conflicts: {
      count: 3,
      pairs: [
        ['4', '0'],
        ['5', '0'],
      ],
    },
  });
});
