// Group norm with what follows it, and its gradient: src/ops/group-norm.ts has the formulas. A group of an image lies in one piece.
import { activate4, derivative4 } from './functions';
import { high, low, sumRow } from './sums';
import { firstLanes, load4, store4 } from './vector';

/** x [B, C, N], w, b [C] -> y [B, C, N], means, rstds [B, groups] */
export function groupNorm(
  B: i32,
  C: i32,
  N: i32,
  groups: i32,
  x: usize,
  w: usize,
  b: usize,
  y: usize,
  means: usize,
  rstds: usize,
  epsilon: f64,
  activation: i32,
): void {
  const perGroup = C / groups;
  const size = perGroup * N;
  for (let group = 0; group < B * groups; group++) {
    const mean = sumRow(size, x) / (size as f64);
    // A mean that dwarfs the deviations is no number of float32: what is missing goes into the offset.
    const center = mean as f32;
    const excess = mean - (center as f64);
    const variance = sumSquaresFrom(center, size, x) / (size as f64) - excess * excess;
    const rstd = 1 / sqrt<f64>(max<f64>(variance, 0) + epsilon);
    store<f32>(means + (group << 2), center);
    store<f32>(rstds + (group << 2), rstd as f32);
    for (let i = 0; i < perGroup; i++) {
      const channel = ((group % groups) * perGroup + i) << 2;
      const scale = rstd * (load<f32>(w + channel) as f64);
      const offset = (load<f32>(b + channel) as f64) - excess * scale;
      normalize(N, x, center, scale as f32, offset as f32, y, activation);
      x += N << 2;
      y += N << 2;
    }
  }
}

function sumSquaresFrom(center: f32, size: i32, x: usize): f64 {
  const middle = f32x4.splat(center);
  let sums = f64x2.splat(0);
  for (let i = 0; i < size; i += 4) {
    const left = size - i;
    let v = f32x4.sub(load4(x + (i << 2), left), middle);
    if (left < 4) v = firstLanes(v, left);
    const a = low(v);
    const b = high(v);
    sums = f64x2.add(sums, f64x2.add(f64x2.mul(a, a), f64x2.mul(b, b)));
  }
  return f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
}

/** y = act((x - center) scale + offset) */
function normalize(N: i32, x: usize, center: f32, scale: f32, offset: f32, y: usize, activation: i32): void {
  for (let i = 0; i < N; i += 4) {
    const at = i << 2;
    const left = N - i;
    const centered = f32x4.sub(load4(x + at, left), f32x4.splat(center));
    const z = f32x4.add(f32x4.mul(centered, f32x4.splat(scale)), f32x4.splat(offset));
    store4(y + at, activate4(z, activation), left);
  }
}

// One channel of a group: h = (x - mean) rstd, z = h weight + bias.
let mean: f32 = 0;
let rstd: f32 = 0;
let weight: f32 = 0;
let bias: f32 = 0;

function normalized(x: v128): v128 {
  return f32x4.mul(f32x4.sub(x, f32x4.splat(mean)), f32x4.splat(rstd));
}

/** dz = dy act'(z) */
function gradientBefore(dy: v128, h: v128, activation: i32): v128 {
  if (activation == 0) return dy;
  const z = f32x4.add(f32x4.mul(h, f32x4.splat(weight)), f32x4.splat(bias));
  return f32x4.mul(dy, derivative4(z, activation));
}

/** -> dx [B, C, N], dw, db [C]. @param scratch of 2 C numbers of float64: the sums over images */
export function groupNormGrad(
  B: i32,
  C: i32,
  N: i32,
  groups: i32,
  x: usize,
  w: usize,
  b: usize,
  means: usize,
  rstds: usize,
  dy: usize,
  dx: usize,
  dw: usize,
  db: usize,
  activation: i32,
  scratch: usize,
): void {
  const perGroup = C / groups;
  const size = (perGroup * N) as f64;
  memory.fill(scratch, 0, C << 4);
  for (let group = 0; group < B * groups; group++) {
    mean = load<f32>(means + (group << 2));
    rstd = load<f32>(rstds + (group << 2));
    const first = (group % groups) * perGroup;
    const from = (group * perGroup * N) << 2;
    let sum: f64 = 0;
    let along: f64 = 0;
    for (let i = 0; i < perGroup; i++) {
      const at = from + ((i * N) << 2);
      const totals = scratch + ((first + i) << 4);
      enter(first + i, w, b);
      const sums = beginChannel(N, x + at, dy + at, dx + at, activation);
      v128.store(totals, f64x2.add(v128.load(totals), sums));
      sum += f64x2.extract_lane(sums, 0) * (weight as f64);
      along += f64x2.extract_lane(sums, 1) * (weight as f64);
    }
    for (let i = 0; i < perGroup; i++) {
      const at = from + ((i * N) << 2);
      enter(first + i, w, b);
      endChannel(N, x + at, (sum / size) as f32, (along / size) as f32, dx + at);
    }
  }
  for (let c = 0; c < C; c++) {
    store<f32>(db + (c << 2), load<f64>(scratch + (c << 4)) as f32);
    store<f32>(dw + (c << 2), load<f64>(scratch + (c << 4), 8) as f32);
  }
}

function enter(channel: i32, w: usize, b: usize): void {
  weight = load<f32>(w + (channel << 2));
  bias = load<f32>(b + (channel << 2));
}

/** Leaves dz in dx, so that it is made once. @returns the sums of dz, and of dz h */
function beginChannel(N: i32, x: usize, dy: usize, dx: usize, activation: i32): v128 {
  let sums = f64x2.splat(0);
  let products = sums;
  for (let i = 0; i < N; i += 4) {
    const at = i << 2;
    const left = N - i;
    const h = normalized(load4(x + at, left));
    let dz = gradientBefore(load4(dy + at, left), h, activation);
    if (left < 4) dz = firstLanes(dz, left);
    store4(dx + at, dz, left);
    const product = f32x4.mul(dz, h);
    sums = f64x2.add(sums, f64x2.add(low(dz), high(dz)));
    products = f64x2.add(products, f64x2.add(low(product), high(product)));
  }
  return f64x2.add(v128.shuffle<i64>(sums, products, 0, 2), v128.shuffle<i64>(sums, products, 1, 3));
}

/** dx = rstd (dz weight - meanG - h meanGH) */
function endChannel(N: i32, x: usize, meanG: f32, meanGH: f32, dx: usize): void {
  for (let i = 0; i < N; i += 4) {
    const at = i << 2;
    const left = N - i;
    const h = normalized(load4(x + at, left));
    const g = f32x4.sub(f32x4.mul(load4(dx + at, left), f32x4.splat(weight)), f32x4.splat(meanG));
    const rest = f32x4.sub(g, f32x4.mul(h, f32x4.splat(meanGH)));
    store4(dx + at, f32x4.mul(rest, f32x4.splat(rstd)), left);
  }
}
