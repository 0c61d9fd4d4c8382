// Kernels of rows: what is told of a whole row (its mean, its maximum), and then each of its elements.
import type { Dispatch, Tuning } from '../dispatch.ts';
import { busy } from '../reduction.ts';
import { rowsApart } from './apart.ts';
import { type Rows, stepOf } from './row.ts';
import { rowsTogether } from './together.ts';
import { rowsWork } from './ways.ts';

export type { Pass, Rows } from './row.ts';

/** Rows of so many elements are shared out further where there are too few of them for all of a device. */
const long = 4096;

/** Whether rows of so many elements are one dispatch, however many there are and whatever they are stored in. */
export function rowsStayTogether(width: number): boolean {
  return width < long && width % 2 === 0;
}

export function rows(given: Rows, tuning: Tuning): readonly Dispatch[] {
  const lanes = tuning.wayOf(rowsWork(given, tuning));
  const isTorn = given.width % stepOf(given) !== 0;
  const isStretched = given.width >= long && given.rows * lanes < busy;
  return isTorn || isStretched ? rowsApart(given, lanes) : [rowsTogether(given, lanes)];
}
