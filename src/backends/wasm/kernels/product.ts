// Matrix products c [M, N] = a [M, K] b [K, N], each operand with any two strides. Blocks of both operands are packed so that they stay in
// cache; a tile of 4 x 8 sums is held in registers over a block of the sum. What comes after a product is done to a block while it is in cache.
import { finish, finishNothing } from './finish';
import { packAsIs, packLeft, packRight } from './pack';

const depthBlock: i32 = 256;
const rowBlock: i32 = 64;
const columnBlock: i32 = 256;
/** Bytes of a packed block of each operand. A tile at an edge lies behind them. */
const rightBytes: i32 = depthBlock * columnBlock * 4;
const leftBytes: i32 = depthBlock * rowBlock * 4;

/** The sums of one tile. @param ldc bytes between its rows @param adds to what is there */
function tile(depth: i32, left: usize, right: usize, c: usize, ldc: i32, adds: bool): void {
  let c00 = f32x4.splat(0);
  let c01 = c00;
  let c10 = c00;
  let c11 = c00;
  let c20 = c00;
  let c21 = c00;
  let c30 = c00;
  let c31 = c00;
  const end = left + (depth << 4);
  while (left < end) {
    const b0 = v128.load(right);
    const b1 = v128.load(right, 16);
    const a0 = v128.load32_splat(left);
    c00 = f32x4.add(c00, f32x4.mul(a0, b0));
    c01 = f32x4.add(c01, f32x4.mul(a0, b1));
    const a1 = v128.load32_splat(left, 4);
    c10 = f32x4.add(c10, f32x4.mul(a1, b0));
    c11 = f32x4.add(c11, f32x4.mul(a1, b1));
    const a2 = v128.load32_splat(left, 8);
    c20 = f32x4.add(c20, f32x4.mul(a2, b0));
    c21 = f32x4.add(c21, f32x4.mul(a2, b1));
    const a3 = v128.load32_splat(left, 12);
    c30 = f32x4.add(c30, f32x4.mul(a3, b0));
    c31 = f32x4.add(c31, f32x4.mul(a3, b1));
    left += 16;
    right += 32;
  }
  storeRow(c, c00, c01, adds);
  storeRow(c + ldc, c10, c11, adds);
  storeRow(c + 2 * ldc, c20, c21, adds);
  storeRow(c + 3 * ldc, c30, c31, adds);
}

function storeRow(c: usize, v0: v128, v1: v128, adds: bool): void {
  v128.store(c, adds ? f32x4.add(v128.load(c), v0) : v0);
  v128.store(c, adds ? f32x4.add(v128.load(c, 16), v1) : v1, 16);
}

/** A tile of fewer rows or columns. @param memory of a whole tile */
function edgeTile(
  depth: i32,
  left: usize,
  right: usize,
  c: usize,
  ldc: i32,
  adds: bool,
  rows: i32,
  columns: i32,
  memory: usize,
): void {
  tile(depth, left, right, memory, 32, false);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) {
      const to = c + i * ldc + (j << 2);
      const value = load<f32>(memory + (i << 5) + (j << 2));
      store<f32>(to, adds ? load<f32>(to) + value : value);
    }
  }
}

/** @param strides in elements @param ldc elements between the rows of c @param adds to what c holds */
export function product(
  M: i32,
  N: i32,
  K: i32,
  a: usize,
  aRow: i32,
  aColumn: i32,
  b: usize,
  bRow: i32,
  bColumn: i32,
  c: usize,
  ldc: i32,
  adds: bool,
  scratch: usize,
): void {
  const left = scratch + rightBytes;
  const edge = left + leftBytes;
  for (let j = 0; j < N; j += columnBlock) {
    const columns = min(columnBlock, N - j);
    for (let k = 0; k < K; k += depthBlock) {
      const depth = min(depthBlock, K - k);
      const addsNow = adds || k > 0;
      packRight(b + ((k * bRow + j * bColumn) << 2), bRow, bColumn, columns, depth, scratch, k, j);
      for (let i = 0; i < M; i += rowBlock) {
        const rows = min(rowBlock, M - i);
        packLeft(a + ((i * aRow + k * aColumn) << 2), aRow, aColumn, rows, depth, left);
        for (let jj = 0; jj < columns; jj += 8) {
          const panel = scratch + ((jj * depth) << 2);
          for (let ii = 0; ii < rows; ii += 4) {
            const to = c + (((i + ii) * ldc + j + jj) << 2);
            const rowsLeft = min(4, rows - ii);
            const columnsLeft = min(8, columns - jj);
            const from = left + ((ii * depth) << 2);
            if (rowsLeft == 4 && columnsLeft == 8) tile(depth, from, panel, to, ldc << 2, addsNow);
            else edgeTile(depth, from, panel, to, ldc << 2, addsNow, rowsLeft, columnsLeft, edge);
          }
        }
        if (k + depth == K) finish(c, ldc, i, rows, j, columns);
      }
    }
  }
}

/** Products of `batch` pairs of matrices. @param aNext, bNext elements from one matrix to the next */
export function matmul(
  batch: i32,
  M: i32,
  N: i32,
  K: i32,
  a: usize,
  aRow: i32,
  aColumn: i32,
  aNext: i32,
  b: usize,
  bRow: i32,
  bColumn: i32,
  bNext: i32,
  c: usize,
  scratch: usize,
): void {
  finishNothing();
  packAsIs();
  for (let i = 0; i < batch; i++) {
    product(M, N, K, a, aRow, aColumn, b, bRow, bColumn, c, N, false, scratch);
    a += aNext << 2;
    b += bNext << 2;
    c += (M * N) << 2;
  }
}
