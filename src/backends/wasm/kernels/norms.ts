// Layer norm with the conditioning's modulation, and the gated addition of a residual branch, with their gradients: src/ops has the formulas.
import { firstLanes, load4, store4, sumLanes } from './vector';

/** x [B, N, D], shift, scale [B, D] -> y, normalized [B, N, D], rstd [B, N]. @param normalized 0 where it is not kept */
export function layerNormModulate(
  B: i32,
  N: i32,
  D: i32,
  x: usize,
  shift: usize,
  scale: usize,
  y: usize,
  normalized: usize,
  rstd: usize,
  epsilon: f32,
): void {
  const one = f32x4.splat(1);
  for (let row = 0; row < B * N; row++) {
    const image = ((row / N) * D) << 2;
    const from = (row * D) << 2;
    let sums = f32x4.splat(0);
    for (let j = 0; j < D; j += 4) sums = f32x4.add(sums, load4(x + from + (j << 2), D - j));
    const mean = f32x4.splat(sumLanes(sums) / (D as f32));
    let squares = f32x4.splat(0);
    const meanOfLast = firstLanes(mean, D & 3);
    for (let j = 0; j < D; j += 4) {
      const center = D - j < 4 ? meanOfLast : mean;
      const centered = f32x4.sub(load4(x + from + (j << 2), D - j), center);
      squares = f32x4.add(squares, f32x4.mul(centered, centered));
    }
    const variance = sumLanes(squares) / (D as f32);
    const r: f32 = 1 / sqrt<f32>(variance + epsilon);
    store<f32>(rstd + (row << 2), r);
    for (let j = 0; j < D; j += 4) {
      const at = j << 2;
      const left = D - j;
      const value = f32x4.mul(f32x4.sub(load4(x + from + at, left), mean), f32x4.splat(r));
      if (normalized != 0) store4(normalized + from + at, value, left);
      const factor = f32x4.add(load4(scale + image + at, left), one);
      store4(y + from + at, f32x4.add(f32x4.mul(value, factor), load4(shift + image + at, left)), left);
    }
  }
}

/** -> dx [B, N, D], dshift, dscale [B, D]. @param other added to dx; 0 where there is none */
export function layerNormModulateGrad(
  B: i32,
  N: i32,
  D: i32,
  normalized: usize,
  scale: usize,
  rstd: usize,
  dy: usize,
  other: usize,
  dx: usize,
  dshift: usize,
  dscale: usize,
): void {
  const one = f32x4.splat(1);
  memory.fill(dshift, 0, (B * D) << 2);
  memory.fill(dscale, 0, (B * D) << 2);
  for (let row = 0; row < B * N; row++) {
    const image = ((row / N) * D) << 2;
    const from = (row * D) << 2;
    let sums = f32x4.splat(0);
    let along = f32x4.splat(0);
    for (let j = 0; j < D; j += 4) {
      const at = j << 2;
      const left = D - j;
      const gradient = load4(dy + from + at, left);
      const value = load4(normalized + from + at, left);
      const product = f32x4.mul(gradient, value);
      const ofShift = dshift + image + at;
      const ofScale = dscale + image + at;
      store4(ofShift, f32x4.add(load4(ofShift, left), gradient), left);
      store4(ofScale, f32x4.add(load4(ofScale, left), product), left);
      const factor = f32x4.add(load4(scale + image + at, left), one);
      sums = f32x4.add(sums, f32x4.mul(gradient, factor));
      along = f32x4.add(along, f32x4.mul(product, factor));
    }
    const mean = f32x4.splat(sumLanes(sums) / (D as f32));
    const share = f32x4.splat(sumLanes(along) / (D as f32));
    const r = f32x4.splat(load<f32>(rstd + (row << 2)));
    for (let j = 0; j < D; j += 4) {
      const at = j << 2;
      const left = D - j;
      const factor = f32x4.add(load4(scale + image + at, left), one);
      const g = f32x4.mul(load4(dy + from + at, left), factor);
      const value = load4(normalized + from + at, left);
      let v = f32x4.mul(f32x4.sub(f32x4.sub(g, mean), f32x4.mul(value, share)), r);
      if (other != 0) v = f32x4.add(v, load4(other + from + at, left));
      store4(dx + from + at, v, left);
    }
  }
}

/** y = x + gate branch: x, branch [B, N, D], gate [B, D]. */
export function gatedResidual(B: i32, N: i32, D: i32, x: usize, branch: usize, gate: usize, y: usize): void {
  for (let row = 0; row < B * N; row++) {
    const image = ((row / N) * D) << 2;
    const from = (row * D) << 2;
    for (let j = 0; j < D; j += 4) {
      const at = from + (j << 2);
      const left = D - j;
      const gated = f32x4.mul(load4(branch + at, left), load4(gate + image + (j << 2), left));
      store4(y + at, f32x4.add(load4(x + at, left), gated), left);
    }
  }
}

/** -> dbranch [B, N, D], dgate [B, D] */
export function gatedResidualGrad(
  B: i32,
  N: i32,
  D: i32,
  dy: usize,
  branch: usize,
  gate: usize,
  dbranch: usize,
  dgate: usize,
): void {
  memory.fill(dgate, 0, (B * D) << 2);
  for (let row = 0; row < B * N; row++) {
    const image = ((row / N) * D) << 2;
    const from = (row * D) << 2;
    for (let j = 0; j < D; j += 4) {
      const at = from + (j << 2);
      const left = D - j;
      const gradient = load4(dy + at, left);
      const ofGate = dgate + image + (j << 2);
      store4(dbranch + at, f32x4.mul(gradient, load4(gate + image + (j << 2), left)), left);
      store4(ofGate, f32x4.add(load4(ofGate, left), f32x4.mul(gradient, load4(branch + at, left))), left);
    }
  }
}
