// Sparse matrices in memory: 6 bytes for each stored value, 8 where there are more than 65,536 genes.
import { type Matrix, blocks, forEachValue } from './matrix.ts';

/** Bytes of a matrix in memory at most; a larger one is read from its file, cell by cell. */
export const MEMORY_LIMIT: number = 2 ** 31;

/** Bytes of a matrix that is held in memory. */
export function matrixBytes(values: number, rows: number, columns: number): number {
  return values * (4 + columnType(columns).BYTES_PER_ELEMENT) + (rows + 1) * 8;
}

/**
 * A copy in memory, as float32.
 * @param values how many it holds
 * @param genes the columns to keep, all by default
 */
export async function loadMatrix(matrix: Matrix, values: number, genes?: Int32Array): Promise<Matrix> {
  const columns = genes?.length ?? matrix.columns;
  const placeOf = new Int32Array(matrix.columns).fill(-1);
  for (let place = 0; place < columns; place++) placeOf[genes?.[place] ?? place] = place;
  const copy = allocate(matrix.rows, columns, values);
  let at = 0;
  for await (const { start, block } of blocks(matrix)) {
    for (let row = 0; row + 1 < block.starts.length; row++) {
      for (let i = block.starts[row]!; i < block.starts[row + 1]!; i++) {
        const place = placeOf[block.columns[i]!]!;
        if (place < 0) continue;
        copy.columns[at] = place;
        copy.values[at++] = block.values[i]!;
      }
      copy.starts[start + row + 1] = at;
    }
  }
  return memoryMatrix(matrix.rows, columns, copy);
}

interface MemoryRows {
  readonly starts: Float64Array;
  readonly columns: Uint16Array | Int32Array;
  readonly values: Float32Array;
}

function columnType(columns: number): typeof Uint16Array | typeof Int32Array {
  return columns <= 2 ** 16 ? Uint16Array : Int32Array;
}

function allocate(rows: number, columns: number, values: number): MemoryRows {
  return {
    starts: new Float64Array(rows + 1),
    columns: new (columnType(columns))(values),
    values: new Float32Array(values),
  };
}

function memoryMatrix(rows: number, columns: number, stored: MemoryRows): Matrix {
  const { starts } = stored;
  return {
    rows,
    columns,
    inMemory: true,
    readRows(start, end) {
      const [from, to] = [starts[start]!, starts[end]!];
      return {
        starts: starts.slice(start, end + 1).map((value) => value - from),
        columns: stored.columns.subarray(from, to),
        values: stored.values.subarray(from, to),
      };
    },
  };
}

/** Rows to columns, by counting: one pass for the length of each new row, one to place the values. */
export async function transpose(
  matrix: Matrix,
  values: number,
  outside: (row: number, column: number) => never,
): Promise<Matrix> {
  const [rows, columns] = [matrix.columns, matrix.rows];
  const stored = allocate(rows, columns, values);
  for await (const { start, block } of blocks(matrix)) {
    forEachValue(block, (line, row) => {
      if (!(row >= 0 && row < rows)) outside(row, start + line);
      stored.starts[row + 1]!++;
    });
  }
  for (let row = 0; row < rows; row++) stored.starts[row + 1]! += stored.starts[row]!;
  const next = stored.starts.slice();
  for await (const { start, block } of blocks(matrix)) {
    forEachValue(block, (line, row, value) => {
      const at = next[row]!++;
      stored.columns[at] = start + line;
      stored.values[at] = value;
    });
  }
  return memoryMatrix(rows, columns, stored);
}
