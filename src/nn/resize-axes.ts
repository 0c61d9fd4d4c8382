// Resizing along two axes of an array, each by one matrix: what a picture, or a patch of one, is at another size. In float64.
import { valueError } from '../tensor/errors.ts';

/** [rows, columns], row-major. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float64Array;
}

/**
 * One axis of a bilinear resize, [to, from]: half-pixel centres, edges clamped, no antialias, as PyTorch's interpolate with
 * align_corners false. Each row adds up to 1.
 */
export function bilinearMatrix(from: number, to: number): Matrix {
  const values = new Float64Array(to * from);
  for (let row = 0; row < to; row++) {
    const place = Math.max(0, ((row + 0.5) * from) / to - 0.5);
    const first = Math.min(from - 1, Math.floor(place));
    const next = Math.min(from - 1, first + 1);
    const share = Math.min(1, place - first);
    values[row * from + first]! += 1 - share;
    values[row * from + next]! += share;
  }
  return { rows: to, columns: from, values };
}

/** [rows, columns] -> [columns, rows] */
export function transpose({ rows, columns, values }: Matrix): Matrix {
  const turned = new Float64Array(values.length);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) turned[j * rows + i] = values[i * columns + j]!;
  return { rows: columns, columns: rows, values: turned };
}

/** The products of all numbers of a matrix with one. */
export function scaled({ values, ...sizes }: Matrix, factor: number): Matrix {
  return { ...sizes, values: values.map((value) => factor * value) };
}

/** Its numbers without their signs. */
export function magnitudes({ values, ...sizes }: Matrix): Matrix {
  return { ...sizes, values: values.map(Math.abs) };
}

/**
 * The pseudo-inverse of the transpose of a matrix B of full rank, of the shape of B: B (B'B)^-1 where it has no more columns than
 * rows, else (BB')^-1 B. Of two such matrices along two axes, it is that of each.
 * @throws RectiflowError where the matrix is not of full rank
 */
export function pseudoInverseOfTranspose(matrix: Matrix): Matrix {
  const turned = transpose(matrix);
  // The small one of B'B and BB' is symmetric: X (B'B) = B is (B'B) X' = B'.
  if (matrix.columns <= matrix.rows) return transpose(solve(multiply(turned, matrix), turned));
  return solve(multiply(matrix, turned), matrix);
}

function multiply(a: Matrix, b: Matrix): Matrix {
  const values = new Float64Array(a.rows * b.columns);
  for (let i = 0; i < a.rows; i++)
    for (let k = 0; k < a.columns; k++)
      for (let j = 0; j < b.columns; j++)
        values[i * b.columns + j]! += a.values[i * a.columns + k]! * b.values[k * b.columns + j]!;
  return { rows: a.rows, columns: b.columns, values };
}

/** X of A X = B, A square: Gauss's elimination, with the greatest number of a column as its pivot. */
function solve(left: Matrix, right: Matrix): Matrix {
  const size = left.rows;
  const width = size + right.columns;
  const rows = Array.from({ length: size }, (_, i) => {
    const row = new Float64Array(width);
    row.set(left.values.subarray(i * size, (i + 1) * size));
    row.set(right.values.subarray(i * right.columns, (i + 1) * right.columns), size);
    return row;
  });
  for (let column = 0; column < size; column++) {
    let pivot = column;
    for (let i = column + 1; i < size; i++)
      if (Math.abs(rows[i]![column]!) > Math.abs(rows[pivot]![column]!)) pivot = i;
    [rows[column], rows[pivot]] = [rows[pivot]!, rows[column]!];
    const main = rows[column]!;
    if (Math.abs(main[column]!) < 1e-12)
      throw valueError('pseudoInverseOfTranspose', 'matrix', 'of full rank', `${left.rows} dependent rows`);
    for (let i = 0; i < size; i++) {
      const factor = i === column ? 0 : rows[i]![column]! / main[column]!;
      if (factor !== 0) for (let j = column; j < width; j++) rows[i]![j]! -= factor * main[j]!;
    }
  }
  const values = new Float64Array(size * right.columns);
  rows.forEach((row, i) => {
    for (let j = 0; j < right.columns; j++) values[i * right.columns + j] = row[size + j]! / row[i]!;
  });
  return { rows: size, columns: right.columns, values };
}

/**
 * [outer, n, n, inner] -> [outer, m, m, inner], by a matrix [m, n] along each of the two middle axes.
 * @param inner numbers of one place that lie together
 */
export function resizeAxes(values: ArrayLike<number>, matrix: Matrix, inner: number): Float64Array {
  const { rows: m, columns: n } = matrix;
  const outer = values.length / (n * n * inner);
  const along = new Float64Array(outer * n * m * inner); // [outer, n, m, inner]
  for (let line = 0; line < outer * n; line++) resizeAxis(values, along, line, matrix, inner);
  const resized = new Float64Array(outer * m * m * inner);
  // The rows of a plane are one axis with m * inner numbers at each place.
  for (let plane = 0; plane < outer; plane++) resizeAxis(along, resized, plane, matrix, m * inner);
  return resized;
}

/** [n, inner] number `line` of `from` -> [m, inner] number `line` of `to` */
function resizeAxis(
  from: ArrayLike<number>,
  to: Float64Array,
  line: number,
  { rows: m, columns: n, values }: Matrix,
  inner: number,
): void {
  for (let row = 0; row < m; row++) {
    const out = (line * m + row) * inner;
    for (let column = 0; column < n; column++) {
      const weight = values[row * n + column]!;
      if (weight === 0) continue;
      const start = (line * n + column) * inner;
      for (let i = 0; i < inner; i++) to[out + i]! += weight * from[start + i]!;
    }
  }
}
