// What is done to a block of a product as soon as it is summed up.
import { activate4, derivative4 } from './functions';
import { load4, store4 } from './vector';

const nothing: i32 = 0;
const biasAndActivation: i32 = 1;
const factor: i32 = 2;
const gate: i32 = 3;
const channels: i32 = 4;

let kind: i32 = nothing;
let activation: i32 = 0;
let bias: usize = 0;
/** Of the product's shape: z, or the branch, that is kept, where it is not 0; what is multiplied or added. */
let kept: usize = 0;
let other: usize = 0;
let gates: usize = 0;
let tokens: i32 = 1;

export function finishNothing(): void {
  kind = nothing;
}

/** c = act(z), z = c + b. @param b, z 0 where there is none */
export function finishLinear(b: usize, z: usize, by: i32): void {
  kind = b == 0 && z == 0 && by == 0 ? nothing : biasAndActivation;
  bias = b;
  kept = z;
  activation = by;
}

/** c = act(c + b), b being of rows. @param b 0 where there is none */
export function finishChannels(b: usize, by: i32): void {
  kind = b == 0 && by == 0 ? nothing : channels;
  bias = b;
  kept = 0;
  activation = by;
}

/** c = c other, or c act'(other). */
export function finishFactor(by: i32, values: usize): void {
  kind = factor;
  activation = by;
  other = values;
}

/** c = x + gate branch, branch = c + b. @param perImage rows that share a gate */
export function finishGated(b: usize, x: usize, gating: usize, branch: usize, perImage: i32): void {
  kind = gate;
  bias = b;
  other = x;
  gates = gating;
  kept = branch;
  tokens = perImage;
}

/** @param c the whole product, of `ldc` columns */
export function finish(c: usize, ldc: i32, row: i32, rows: i32, column: i32, columns: i32): void {
  if (kind == nothing) return;
  for (let i = row; i < row + rows; i++) {
    const gateRow = kind == gate ? gates + (((i / tokens) * ldc) << 2) : 0;
    for (let j = column; j < column + columns; j += 4) {
      const left = column + columns - j;
      const at = ((i * ldc + j) << 2) as usize;
      let v = load4(c + at, left);
      if (kind == factor) {
        const by = load4(other + at, left);
        v = f32x4.mul(v, activation == 0 ? by : derivative4(by, activation));
      } else {
        if (bias != 0)
          v = f32x4.add(
            v,
            kind == channels ? v128.load32_splat(bias + (i << 2)) : load4(bias + (j << 2), left),
          );
        if (kept != 0) store4(kept + at, v, left);
        if (kind == gate)
          v = f32x4.add(load4(other + at, left), f32x4.mul(load4(gateRow + (j << 2), left), v));
        else v = activate4(v, activation);
      }
      store4(c + at, v, left);
    }
  }
}
