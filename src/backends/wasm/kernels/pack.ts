// Operands of products as the tiles read them: four lanes side by side for each place along the sum, zeros where there are no more lanes.
import { activate4 } from './functions';
import { load4 } from './vector';

// What the right operand is made of while it is packed, where it is not read as it is: see linearGradParams in src/ops/linear.ts.
let activation: i32 = 0;
let shift: usize = 0;
let scale: usize = 0;
let tokens: i32 = 1;
let width: i32 = 0;

export function packAsIs(): void {
  activation = 0;
  scale = 0;
}

export function packActivated(by: i32): void {
  packAsIs();
  activation = by;
}

/** @param perImage rows that share a shift and a scale @param columns of each */
export function packModulated(shifts: usize, scales: usize, perImage: i32, columns: i32): void {
  packAsIs();
  shift = shifts;
  scale = scales;
  tokens = perImage;
  width = columns;
}

/**
 * @param laneStride, depthStride between lanes, and between places along the sum, in elements
 * @param lanes how many there are, up to four
 * @param outStride bytes between the fours
 */
export function pack4(
  from: usize,
  laneStride: i32,
  depthStride: i32,
  lanes: i32,
  depth: i32,
  to: usize,
  outStride: i32,
): void {
  if (laneStride == 1) {
    for (let k = 0; k < depth; k++) {
      v128.store(to, load4(from, lanes));
      from += depthStride << 2;
      to += outStride;
    }
    return;
  }
  let k = 0;
  const lane = laneStride << 2;
  if (depthStride == 1 && lanes == 4) {
    for (; k + 4 <= depth; k += 4) {
      const a = v128.load(from);
      const b = v128.load(from + lane);
      const c = v128.load(from + 2 * lane);
      const d = v128.load(from + 3 * lane);
      const ab = v128.shuffle<i32>(a, b, 0, 4, 1, 5);
      const cd = v128.shuffle<i32>(c, d, 0, 4, 1, 5);
      const abHigh = v128.shuffle<i32>(a, b, 2, 6, 3, 7);
      const cdHigh = v128.shuffle<i32>(c, d, 2, 6, 3, 7);
      v128.store(to, v128.shuffle<i64>(ab, cd, 0, 2));
      v128.store(to + outStride, v128.shuffle<i64>(ab, cd, 1, 3));
      v128.store(to + 2 * outStride, v128.shuffle<i64>(abHigh, cdHigh, 0, 2));
      v128.store(to + 3 * outStride, v128.shuffle<i64>(abHigh, cdHigh, 1, 3));
      from += 16;
      to += outStride << 2;
    }
  }
  for (; k < depth; k++) {
    let v = f32x4.splat(0);
    if (lanes > 0) v = f32x4.replace_lane(v, 0, load<f32>(from));
    if (lanes > 1) v = f32x4.replace_lane(v, 1, load<f32>(from + lane));
    if (lanes > 2) v = f32x4.replace_lane(v, 2, load<f32>(from + 2 * lane));
    if (lanes > 3) v = f32x4.replace_lane(v, 3, load<f32>(from + 3 * lane));
    v128.store(to, v);
    from += depthStride << 2;
    to += outStride;
  }
}

/** Panels of four rows of the left operand. */
export function packLeft(
  from: usize,
  rowStride: i32,
  depthStride: i32,
  rows: i32,
  depth: i32,
  to: usize,
): void {
  for (let i = 0; i < rows; i += 4) {
    pack4(from + ((i * rowStride) << 2), rowStride, depthStride, min(4, rows - i), depth, to, 16);
    to += depth << 4;
  }
}

/**
 * Panels of eight columns of the right operand.
 * @param row, column where the block begins in the whole operand
 */
export function packRight(
  from: usize,
  depthStride: i32,
  columnStride: i32,
  columns: i32,
  depth: i32,
  to: usize,
  row: i32,
  column: i32,
): void {
  const isMade = activation != 0 || scale != 0;
  for (let j = 0; j < columns; j += 8) {
    for (let half = 0; half < 8; half += 4) {
      const lanes = max(0, min(4, columns - j - half));
      const first = from + (((j + half) * columnStride) << 2);
      const out = to + (half << 2);
      if (isMade) make4(first, depthStride, lanes, depth, out, row, column + j + half);
      else pack4(first, columnStride, depthStride, lanes, depth, out, 32);
    }
    to += depth << 5;
  }
}

/** Columns that lie side by side, activated or modulated. */
function make4(
  from: usize,
  depthStride: i32,
  lanes: i32,
  depth: i32,
  to: usize,
  row: i32,
  column: i32,
): void {
  for (let k = 0; k < depth; k++) {
    let v = load4(from, lanes);
    if (scale != 0) {
      const at = ((((row + k) / tokens) * width + column) << 2) as usize;
      const factor = f32x4.add(load4(scale + at, lanes), f32x4.splat(1));
      v = f32x4.add(f32x4.mul(v, factor), load4(shift + at, lanes));
    } else v = activate4(v, activation);
    v128.store(to, v);
    from += depthStride << 2;
    to += 32;
  }
}
