// Softmax attention of H heads, each of d features that lie side by side in a token's row, by blocks of queries: there is memory for the
// scores of one block, never for all. The gradient makes the probabilities again from the log-sum-exp.
import { finishNothing } from './finish';
import { exp4, log } from './functions';
import { packAsIs } from './pack';
import { product } from './product';
import { maxLanes, load4, sumLanes } from './vector';

const block: i32 = 64;
/** Bytes that a product needs: productBytes in ops/product.ts. */
const productBytes: i32 = 4 * (256 * 256 + 256 * 64 + 32);

function keysOf(lengths: usize, b: i32, M: i32): i32 {
  return lengths == 0 ? M : max(0, min(M, load<i32>(lengths + (b << 2))));
}

/** s [rows, keys] = q k^T, rows of `width` numbers, minus infinity behind the keys. */
function scores(
  rows: i32,
  keys: i32,
  d: i32,
  q: usize,
  qRow: i32,
  k: usize,
  kRow: i32,
  s: usize,
  width: i32,
  scratch: usize,
): void {
  product(rows, keys, d, q, qRow, 1, k, 1, kRow, s, width, false, scratch);
  for (let i = 0; i < rows; i++)
    for (let j = keys; j < width; j++) store<f32>(s + ((i * width + j) << 2), -Infinity);
}

/** Probabilities in the place of scores. @returns log-sum-exp of the scaled scores */
function softmax(s: usize, width: i32, scale: f32): f32 {
  let largest = f32x4.splat(-Infinity);
  for (let j = 0; j < width; j += 4) largest = f32x4.max(largest, v128.load(s + (j << 2)));
  const most = maxLanes(largest);
  const factor = f32x4.splat(scale);
  const shift = f32x4.splat(most);
  let sums = f32x4.splat(0);
  for (let j = 0; j < width; j += 4) {
    const power = exp4(f32x4.mul(f32x4.sub(v128.load(s + (j << 2)), shift), factor));
    v128.store(s + (j << 2), power);
    sums = f32x4.add(sums, power);
  }
  const total = sumLanes(sums);
  const share = f32x4.splat(1 / total);
  for (let j = 0; j < width; j += 4) {
    const at = s + (j << 2);
    v128.store(at, f32x4.mul(v128.load(at), share));
  }
  return most * scale + (log(total as f64) as f32);
}

/**
 * q [B, N, H d] -> o [B, N, H d], lse [B, H, N]; k and v [B, M, H d].
 * @param qRow, kRow elements between tokens of q, and of k and v @param lengths int32 [B], keys of each sample; 0: all M
 */
export function attention(
  B: i32,
  H: i32,
  N: i32,
  M: i32,
  d: i32,
  q: usize,
  qRow: i32,
  k: usize,
  v: usize,
  kRow: i32,
  lengths: usize,
  o: usize,
  lse: usize,
  scratch: usize,
): void {
  packAsIs();
  finishNothing();
  const oRow = H * d;
  const s = scratch + productBytes;
  const scale: f32 = 1 / sqrt<f32>(d as f32);
  for (let b = 0; b < B; b++) {
    const keys = keysOf(lengths, b, M);
    const width = (keys + 3) & ~3;
    for (let h = 0; h < H; h++) {
      const head = (h * d) << 2;
      const kHead = k + head + ((b * M * kRow) << 2);
      const vHead = v + head + ((b * M * kRow) << 2);
      for (let n = 0; n < N; n += block) {
        const rows = min(block, N - n);
        const to = o + head + (((b * N + n) * oRow) << 2);
        const logs = lse + (((b * H + h) * N + n) << 2);
        if (keys == 0) {
          for (let i = 0; i < rows; i++) {
            memory.fill(to + ((i * oRow) << 2), 0, d << 2);
            store<f32>(logs + (i << 2), 0);
          }
          continue;
        }
        const from = q + head + (((b * N + n) * qRow) << 2);
        scores(rows, keys, d, from, qRow, kHead, kRow, s, width, scratch);
        for (let i = 0; i < rows; i++)
          store<f32>(logs + (i << 2), softmax(s + ((i * width) << 2), width, scale));
        product(rows, d, keys, s, width, 1, vHead, kRow, 1, to, oRow, false, scratch);
      }
    }
  }
}

/** p = exp(scale s - lse) in the place of s, and ds = p (dp - delta) scale in the place of dp. */
function gradientOfScores(s: usize, dp: usize, width: i32, scale: f32, lse: f32, delta: f32): void {
  const factor = f32x4.splat(scale);
  for (let j = 0; j < width; j += 4) {
    const at = j << 2;
    const p = exp4(f32x4.sub(f32x4.mul(v128.load(s + at), factor), f32x4.splat(lse)));
    v128.store(s + at, p);
    const inner = f32x4.sub(v128.load(dp + at), f32x4.splat(delta));
    v128.store(dp + at, f32x4.mul(f32x4.mul(p, inner), factor));
  }
}

function dot(a: usize, b: usize, length: i32): f32 {
  let sums = f32x4.splat(0);
  for (let j = 0; j < length; j += 4)
    sums = f32x4.add(sums, f32x4.mul(load4(a + (j << 2), length - j), load4(b + (j << 2), length - j)));
  return sumLanes(sums);
}

/** With dO [B, N, H d] -> dq, dk, dv, laid out as q, k and v are. */
export function attentionGrad(
  B: i32,
  H: i32,
  N: i32,
  M: i32,
  d: i32,
  q: usize,
  qRow: i32,
  k: usize,
  v: usize,
  kRow: i32,
  lengths: usize,
  o: usize,
  lse: usize,
  dO: usize,
  dq: usize,
  dk: usize,
  dv: usize,
  scratch: usize,
): void {
  packAsIs();
  finishNothing();
  const oRow = H * d;
  const s = scratch + productBytes;
  const scale: f32 = 1 / sqrt<f32>(d as f32);
  for (let b = 0; b < B; b++) {
    const keys = keysOf(lengths, b, M);
    const width = (keys + 3) & ~3;
    const ds = s + ((block * width) << 2);
    for (let h = 0; h < H; h++) {
      const head = (h * d) << 2;
      const ofKeys = head + ((b * M * kRow) << 2);
      for (let m = keys; m < M; m++) {
        memory.fill(dk + ofKeys + ((m * kRow) << 2), 0, d << 2);
        memory.fill(dv + ofKeys + ((m * kRow) << 2), 0, d << 2);
      }
      for (let n = 0; n < N; n += block) {
        const rows = min(block, N - n);
        const ofQueries = head + (((b * N + n) * qRow) << 2);
        const ofOutputs = head + (((b * N + n) * oRow) << 2);
        if (keys == 0) {
          for (let i = 0; i < rows; i++) memory.fill(dq + ofQueries + ((i * qRow) << 2), 0, d << 2);
          continue;
        }
        scores(rows, keys, d, q + ofQueries, qRow, k + ofKeys, kRow, s, width, scratch);
        product(rows, keys, d, dO + ofOutputs, oRow, 1, v + ofKeys, 1, kRow, ds, width, false, scratch);
        for (let i = 0; i < rows; i++) {
          const row = (i * width) << 2;
          const output = ofOutputs + ((i * oRow) << 2);
          for (let j = keys; j < width; j++) store<f32>(ds + row + (j << 2), 0);
          const delta = dot(dO + output, o + output, d);
          const logs = load<f32>(lse + (((b * H + h) * N + n + i) << 2));
          gradientOfScores(s + row, ds + row, width, scale, logs, delta);
        }
        const adds = n > 0;
        product(keys, d, rows, s, 1, width, dO + ofOutputs, oRow, 1, dv + ofKeys, kRow, adds, scratch);
        product(keys, d, rows, ds, 1, width, q + ofQueries, qRow, 1, dk + ofKeys, kRow, adds, scratch);
        product(rows, d, keys, ds, width, 1, k + ofKeys, kRow, 1, dq + ofQueries, qRow, false, scratch);
      }
    }
  }
}
