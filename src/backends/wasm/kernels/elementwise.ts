// Ops of one number, or of two, at a time.
import { activate4, derivative4, exp4, sigmoid4 } from './functions';
import { load4, store4 } from './vector';

function combine(kind: i32, a: v128, b: v128): v128 {
  switch (kind) {
    case 0:
      return f32x4.add(a, b);
    case 1:
      return f32x4.sub(a, b);
    case 2:
      return f32x4.mul(a, b);
    case 3:
      return f32x4.div(a, b);
    case 4:
      return v128.and(f32x4.lt(a, b), f32x4.splat(1));
    case 5:
      return f32x4.min(a, b);
    default:
      return f32x4.max(a, b);
  }
}

/** y = a op b, by the numbers of ops/elementwise.ts. @param aOne, bOne whether one number stands for all */
export function binary(kind: i32, size: i32, a: usize, aOne: i32, b: usize, bOne: i32, y: usize): void {
  for (let i = 0; i < size; i += 4) {
    const at = i << 2;
    const left = size - i;
    const p = aOne != 0 ? v128.load32_splat(a) : load4(a + at, left);
    const q = bOne != 0 ? v128.load32_splat(b) : load4(b + at, left);
    store4(y + at, combine(kind, p, q), left);
  }
}

function apply(kind: i32, x: v128): v128 {
  switch (kind) {
    case 0:
      return f32x4.neg(x);
    case 1:
      return exp4(x);
    case 2:
      return f32x4.sqrt(x);
    case 3:
      return f32x4.mul(x, x);
    case 4:
      return f32x4.div(f32x4.splat(1), x);
    case 5:
      return sigmoid4(x);
    case 6:
      return f32x4.abs(x);
    case 7:
      return activate4(x, 1);
    case 8:
      return activate4(x, 2);
    case 9:
      return activate4(x, 3);
    case 10:
      return derivative4(x, 1);
    default:
      return derivative4(x, 2);
  }
}

/** y = op(x), by the numbers of ops/elementwise.ts. */
export function unary(kind: i32, size: i32, x: usize, y: usize): void {
  for (let i = 0; i < size; i += 4) {
    const at = i << 2;
    store4(y + at, apply(kind, load4(x + at, size - i)), size - i);
  }
}

export function affine(size: i32, x: usize, scale: f32, offset: f32, y: usize): void {
  const factor = f32x4.splat(scale);
  const term = f32x4.splat(offset);
  for (let i = 0; i < size; i += 4) {
    const at = i << 2;
    store4(y + at, f32x4.add(f32x4.mul(load4(x + at, size - i), factor), term), size - i);
  }
}

/** dz = dy act'(z) */
export function activationGrad(size: i32, dy: usize, z: usize, activation: i32, dz: usize): void {
  for (let i = 0; i < size; i += 4) {
    const at = i << 2;
    const left = size - i;
    store4(dz + at, f32x4.mul(load4(dy + at, left), derivative4(load4(z + at, left), activation)), left);
  }
}
