// Rows in several dispatches, with their totals in memory: for rows that are few and long, and for halves of rows that share a word.
import type { Argument, Dispatch, Scratch } from '../dispatch.ts';
import { eachItem } from '../items.ts';
import { reductions } from '../reduction.ts';
import { type RowTotal, type Rows, ended, makeElements, stepOf, writtenElements } from './row.ts';

export function rowsApart(given: Rows, lanes: number): Dispatch[] {
  const { rows, width, reads, passes, outputs = [], ofRows = [], functions = '' } = given;
  const { start: ofRow = '', numbers = {} } = given;
  const sizes = { ...given.sizes, rows, width };
  const memoryOf = ({ name }: RowTotal): Scratch => ({ scratch: `row ${name}`, elements: rows });
  const dispatches: Dispatch[] = [];
  const known: RowTotal[] = [];
  const reading = (totals: readonly RowTotal[]): Argument[] =>
    totals.map((total) => ({ name: `${total.name}_of`, operand: memoryOf(total) }));
  const knowing = (totals: readonly RowTotal[]): string =>
    totals.map((total) => ended(total, (name) => `${name}_of(row)`)).join(' ');

  for (const { each = '', totals } of passes) {
    const before = [...known];
    const start = `let row = i; let col = j; let at = i * u.width + j; ${ofRow} ${knowing(before)} ${each}`;
    for (const by of ['sum', 'max'] as const) {
      const alike = totals.filter((total) => (total.by ?? 'sum') === by);
      if (alike.length === 0) continue;
      dispatches.push(
        ...reductions({
          reads: [...reads, ...reading(before)],
          outputs: rows,
          terms: width,
          totals: alike.map((total) => ({
            output: memoryOf(total),
            term: `${start} return ${total.term};`,
          })),
          by,
          neighbours: 'terms',
          lanes,
          functions,
          sizes,
          numbers,
        }),
      );
    }
    known.push(...totals);
  }
  const rest = { sizes, numbers };
  if (ofRows.length > 0)
    dispatches.push(
      eachItem({
        ...rest,
        arguments: [
          ...reading(known),
          ...ofRows.map(({ name, operand }): Argument => ({ name, operand, isWritten: true })),
        ],
        count: rows,
        body: `let row = i; ${knowing(known)} ${ofRows.map(({ name, value }) => `set_${name}(row, ${value});`).join(' ')}`,
      }),
    );
  if (outputs.length > 0) {
    const step = stepOf(given);
    const place = (k: number): string =>
      `let at = i * ${step}u + ${k}u; let row = at / u.width; let col = at % u.width; ${ofRow} ${knowing(known)}`;
    dispatches.push(
      eachItem({
        ...rest,
        arguments: [...reads, ...reading(known), ...writtenElements(given)],
        functions,
        count: Math.ceil((rows * width) / step),
        body: makeElements(given, 'i', { place, isThere: 'at < u.rows * u.width' }),
      }),
    );
  }
  return dispatches;
}
