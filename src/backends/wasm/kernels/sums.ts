// Sums, in float64.
import { load4 } from './vector';

/** Of the two low, and the two high of four float32 numbers. */
export function low(v: v128): v128 {
  return f64x2.promote_low_f32x4(v);
}

export function high(v: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<i64>(v, v, 1, 1));
}

/** x [rows, columns] -> y [columns] */
export function sumColumns(rows: i32, columns: i32, x: usize, y: usize): void {
  let j = 0;
  for (; j + 4 <= columns; j += 4) {
    let first = f64x2.splat(0);
    let second = first;
    let from = x + (j << 2);
    for (let i = 0; i < rows; i++) {
      const v = v128.load(from);
      first = f64x2.add(first, low(v));
      second = f64x2.add(second, high(v));
      from += columns << 2;
    }
    v128.store(
      y + (j << 2),
      v128.shuffle<i64>(f32x4.demote_f64x2_zero(first), f32x4.demote_f64x2_zero(second), 0, 2),
    );
  }
  for (; j < columns; j++) {
    let total: f64 = 0;
    for (let i = 0; i < rows; i++) total += load<f32>(x + ((i * columns + j) << 2)) as f64;
    store<f32>(y + (j << 2), total as f32);
  }
}

export function sumRow(size: i32, x: usize): f64 {
  let sums = f64x2.splat(0);
  for (let i = 0; i < size; i += 4) {
    const v = load4(x + (i << 2), size - i);
    sums = f64x2.add(sums, f64x2.add(low(v), high(v)));
  }
  return f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
}

/** x [outer, size, inner] -> y [outer, inner] */
export function sum(outer: i32, size: i32, inner: i32, x: usize, y: usize): void {
  for (let i = 0; i < outer; i++) {
    const from = x + ((i * size * inner) << 2);
    if (inner == 1) store<f32>(y + (i << 2), sumRow(size, from) as f32);
    else sumColumns(size, inner, from, y + ((i * inner) << 2));
  }
}

export function sumSquares(size: i32, x: usize): f64 {
  let sums = f64x2.splat(0);
  for (let i = 0; i < size; i += 4) {
    const v = load4(x + (i << 2), size - i);
    const a = low(v);
    const b = high(v);
    sums = f64x2.add(sums, f64x2.add(f64x2.mul(a, a), f64x2.mul(b, b)));
  }
  return f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
}

/** Whether none is NaN or infinite: their exponents have all bits set. */
export function isFinite(size: i32, x: usize): i32 {
  const exponent = i32x4.splat(0x7f800000);
  for (let i = 0; i < size; i += 4) {
    const v = load4(x + (i << 2), size - i);
    if (v128.any_true(i32x4.eq(v128.and(v, exponent), exponent))) return 0;
  }
  return 1;
}
