// How many invocations share a row, and what of rows the choice depends on: not on how many there are, so that a row's numbers do not.
import { dtypeOf } from '../shader.ts';
import { type FixedTuning, type Work, rounded } from '../tuning/work.ts';
import { type Rows, writtenElements } from './row.ts';

/** Each a way. */
export const laneCounts: readonly number[] = [1, 8, 32, 64, 128, 256];
/** Of fewer elements there is too little to share. */
const short = 32;
/** An element costs as much as so many operations: it waits for memory. */
const costOfElement = 32;

/** @returns ways that are the numbers of invocations for each row */
export function rowsWork(given: Rows, fixed: FixedTuning): Work<number> {
  const { rows, width, passes, reads } = given;
  const isShort = width < short;
  const ways = laneCounts.filter((count) => count === 1 || (!isShort && count <= width));
  const all = [...new Set([...ways, ...(isShort ? [] : [fixed.lanes])])];
  const dtypes = new Set([...reads, ...writtenElements(given)].map(dtypeOf));
  return {
    form: 'rows',
    key: `rows ${rounded(width)} ${passes.length} ${[...dtypes].toSorted().join('-')}`,
    ways: Object.fromEntries(all.map((count) => [`${count}`, count])),
    usual: isShort ? '1' : `${fixed.lanes}`,
    cost: rows * width * (passes.length + 1) * costOfElement,
  };
}
