// A matrix of cells x genes as those see it who learn from it, wherever its values are.
import { setImmediate } from 'node:timers/promises';
import type { Numbers } from './hdf5.ts';

/** Some rows of a sparse matrix: values[starts[i] .. starts[i + 1]) are those of row i, in the columns of the same places. */
export interface Rows {
  readonly starts: Numbers;
  readonly columns: Numbers;
  readonly values: Numbers;
}

export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  /** Whether reading costs no file access. */
  readonly inMemory: boolean;
  /** Rows [start, end); zeros may be among the values. */
  readRows(start: number, end: number): Rows;
}

/** Rows that are made of others, value by value: of no more values than they had. */
export class RowsBuilder {
  readonly values: Float64Array;
  /** Values so far: where the next one goes. */
  end = 0;
  /** Where the row that is under way starts. */
  rowStart = 0;
  private readonly starts: Float64Array;
  private readonly columns: Float64Array;
  private rows = 0;

  constructor({ starts, columns }: Rows) {
    this.starts = new Float64Array(starts.length);
    this.columns = new Float64Array(columns.length);
    this.values = new Float64Array(columns.length);
  }

  add(column: number, value: number): void {
    this.columns[this.end] = column;
    this.values[this.end++] = value;
  }

  endRow(): void {
    this.starts[++this.rows] = this.end;
    this.rowStart = this.end;
  }

  finish(): Rows {
    const { starts, columns, values, end } = this;
    return { starts, columns: columns.subarray(0, end), values: values.subarray(0, end) };
  }
}

/** Values that one read takes at most, unless a single row has more: 32 MiB of float64. */
const BLOCK = 2 ** 22;

/**
 * All rows, in blocks that fit into memory whatever the size of the matrix. Between two blocks other things get their turn: a pass
 * over a large file takes minutes, and Ctrl-C must be heard.
 */
export async function* blocks(matrix: Matrix): AsyncGenerator<{ start: number; block: Rows }> {
  const step = Math.max(1, Math.floor(BLOCK / Math.max(1, matrix.columns)));
  for (let start = 0; start < matrix.rows; start += step) {
    yield { start, block: matrix.readRows(start, Math.min(matrix.rows, start + step)) };
    await setImmediate();
  }
}

/** Calls `visit` for each stored value, row by row. @param visit row counts from the block's first */
export function forEachValue(block: Rows, visit: (row: number, column: number, value: number) => void): void {
  for (let row = 0; row + 1 < block.starts.length; row++) {
    for (let i = block.starts[row]!; i < block.starts[row + 1]!; i++) {
      visit(row, block.columns[i]!, block.values[i]!);
    }
  }
}
