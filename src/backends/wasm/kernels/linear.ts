// Linear layers and their gradients, src/ops/linear.ts: products, with what comes before and after them.
import { finishFactor, finishGated, finishLinear, finishNothing } from './finish';
import { packActivated, packAsIs, packModulated } from './pack';
import { product } from './product';
import { sumColumns } from './sums';

/** x [rows, I], w [O, I] -> y [rows, O]. @param b, z 0 where there is none */
export function linear(
  rows: i32,
  I: i32,
  O: i32,
  x: usize,
  w: usize,
  b: usize,
  y: usize,
  z: usize,
  activation: i32,
  scratch: usize,
): void {
  packAsIs();
  finishLinear(b, z, activation);
  product(rows, O, I, x, I, 1, w, 1, I, y, O, false, scratch);
}

/** h [rows, I], w [O, I], x [rows, O] -> y [rows, O]. @param branch 0 where it is not kept @param tokens rows that share a gate */
export function linearGatedResidual(
  rows: i32,
  I: i32,
  O: i32,
  h: usize,
  w: usize,
  b: usize,
  x: usize,
  gate: usize,
  y: usize,
  branch: usize,
  tokens: i32,
  scratch: usize,
): void {
  packAsIs();
  finishGated(b, x, gate, branch, tokens);
  product(rows, O, I, h, I, 1, w, 1, I, y, O, false, scratch);
}

/** dy [rows, O], w [O, I] -> dx [rows, I]. @param other 0 where there is none */
export function linearGradInput(
  rows: i32,
  I: i32,
  O: i32,
  dy: usize,
  w: usize,
  other: usize,
  dx: usize,
  activation: i32,
  scratch: usize,
): void {
  packAsIs();
  if (other == 0) finishNothing();
  else finishFactor(activation, other);
  product(rows, I, O, dy, O, 1, w, I, 1, dx, I, false, scratch);
}

/** x [rows, I], dy [rows, O] -> dw [O, I], db [O]. @param scale 0 where x is not modulated @param tokens rows that share a scale */
export function linearGradParams(
  rows: i32,
  I: i32,
  O: i32,
  x: usize,
  dy: usize,
  shift: usize,
  scale: usize,
  tokens: i32,
  activation: i32,
  dw: usize,
  db: usize,
  scratch: usize,
): void {
  if (scale == 0) packActivated(activation);
  else packModulated(shift, scale, tokens, I);
  finishNothing();
  product(O, I, rows, dy, 1, O, x, I, 1, dw, I, false, scratch);
  packAsIs();
  sumColumns(rows, O, dy, db);
}
