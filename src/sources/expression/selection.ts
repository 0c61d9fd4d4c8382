// Which cells of a file are wanted, and what they are called.
import { counted } from '../../tensor/counted.ts';
import { dataError } from '../../tensor/errors.ts';
import { didYouMean } from '../../tensor/suggest.ts';
import { type BadSamplePolicy, mayLeaveOut } from '../../data/bad-samples.ts';
import { listSome } from '../../data/list-some.ts';
import type { ExpressionData } from '../settings.ts';
import type { Unused } from '../../data/told.ts';
import type { CellFile } from './cell-file.ts';
import { type Categories, dropUnused } from './table.ts';

/** Cells that are left out and shown by name. */
const EXAMPLES = 5;

/** The cells that are wanted so far. */
export class Selection {
  /** 1 for each cell that is wanted. */
  readonly kept: Uint8Array;
  readonly #file: string;
  readonly #name: (row: number) => string;
  readonly #leftOut = new Map<
    string,
    { count: number; examples: string[]; advice?: string; areBad?: true }
  >();

  /** @param name how errors call a cell */
  constructor(file: string, cells: number, name: (row: number) => string) {
    this.kept = new Uint8Array(cells).fill(1);
    this.#file = file;
    this.#name = name;
  }

  get count(): number {
    return this.kept.reduce((sum, one) => sum + one, 0);
  }

  /** What was left out, and why. */
  get unused(): Unused[] {
    return Array.from(this.#leftOut, ([what, found]) => ({ what, ...found }));
  }

  /**
   * @param what one of those that are left out so is called
   * @param advice where it is not what was asked for: training refuses such cells, unless its policy leaves them out
   */
  leaveOut(row: number, what: 'unselected cell' | 'unlabelled cell' | 'damaged cell', advice?: string): void {
    this.kept[row] = 0;
    const known = this.#leftOut.get(what) ?? {
      count: 0,
      examples: [],
      ...(advice !== undefined && { advice, areBad: true }),
    };
    this.#leftOut.set(what, known);
    if (known.count++ < EXAMPLES) known.examples.push(this.#name(row));
  }

  /**
   * Keeps the cells that have one of the wanted values in each column.
   * @throws RectiflowError when a column is not there, or has no such value
   */
  keepWhere(cells: CellFile, where: NonNullable<ExpressionData['where']>): void {
    for (const [column, wanted] of Object.entries(where)) {
      const { names, codes } = cells.categories(column);
      for (const value of wanted) {
        if (names.includes(value)) continue;
        const advice = `It has ${listSome(names)}.${didYouMean(value, names)}`;
        throw dataError(this.#file, `data.where: no cell has ${value} in obs/${column}`, advice);
      }
      codes.forEach((code, row) => {
        if (this.kept[row] === 0 || wanted.includes(names[code] ?? '')) return;
        this.leaveOut(row, 'unselected cell');
      });
    }
  }

  /**
   * The classes of a column, -1 for cells that are not kept.
   * @throws RectiflowError when cells have none and neither `data.unlabelled` nor the policy leaves them out
   */
  label(cells: CellFile, column: string, data: ExpressionData, policy: BadSamplePolicy): Categories {
    const labels = cells.categories(column);
    const missing = Array.from(labels.codes.keys()).filter(
      (row) => this.kept[row] === 1 && labels.codes[row] === -1,
    );
    if (
      missing.length > 0 &&
      data.unlabelled !== 'drop' &&
      !mayLeaveOut(policy, missing.length, this.count)
    ) {
      const found = `${missing.length} of ${counted(this.count, 'cell')} have no value in obs/${column}`;
      const advice = 'Fill them in, or set data.unlabelled to drop to leave these cells out';
      throw dataError(this.#file, `${found}, the first is ${this.#name(missing[0]!)}`, advice);
    }
    const advice =
      data.unlabelled === 'drop'
        ? undefined
        : `Fill in obs/${column} to use them, or set data.unlabelled to drop.`;
    for (const row of missing) this.leaveOut(row, 'unlabelled cell', advice);
    return labels;
  }

  /** The classes that the kept cells have. */
  restrict(labels: Categories): Categories {
    const codes = labels.codes.map((code, row) => (this.kept[row] === 1 ? code : -1));
    return { ...labels, ...dropUnused(codes, labels.names) };
  }

  /** @throws RectiflowError when no cell is left */
  checkAny(): void {
    if (this.count > 0) return;
    const found = this.unused.map(({ what, count }) => counted(count, what)).join('; ');
    throw dataError(this.#file, `no cell is left: ${found}`, 'Check data.where and data.label');
  }
}
