// What changes state: AdamW and averages.
import { load4, store4 } from './vector';

/** @param stepSize learning rate / (1 - beta1^t) @param correction sqrt(1 - beta2^t) @param keep 1 - learning rate * decay */
export function adamw(
  size: i32,
  param: usize,
  grad: usize,
  m: usize,
  v: usize,
  gradScale: f32,
  beta1: f32,
  other1: f32,
  beta2: f32,
  other2: f32,
  epsilon: f32,
  stepSize: f32,
  correction: f32,
  keep: f32,
): void {
  for (let i = 0; i < size; i += 4) {
    const at = i << 2;
    const left = size - i;
    const g = f32x4.mul(load4(grad + at, left), f32x4.splat(gradScale));
    const first = f32x4.add(
      f32x4.mul(load4(m + at, left), f32x4.splat(beta1)),
      f32x4.mul(g, f32x4.splat(other1)),
    );
    const second = f32x4.add(
      f32x4.mul(load4(v + at, left), f32x4.splat(beta2)),
      f32x4.mul(f32x4.mul(g, g), f32x4.splat(other2)),
    );
    store4(m + at, first, left);
    store4(v + at, second, left);
    const size4 = f32x4.add(f32x4.div(f32x4.sqrt(second), f32x4.splat(correction)), f32x4.splat(epsilon));
    const change = f32x4.mul(f32x4.div(first, size4), f32x4.splat(stepSize));
    const kept = f32x4.mul(load4(param + at, left), f32x4.splat(keep));
    store4(param + at, f32x4.sub(kept, change), left);
  }
}

/** target += share (value - target) */
export function lerp(size: i32, target: usize, value: usize, share: f32): void {
  for (let i = 0; i < size; i += 4) {
    const at = i << 2;
    const left = size - i;
    const old = load4(target + at, left);
    const change = f32x4.mul(f32x4.sub(load4(value + at, left), old), f32x4.splat(share));
    store4(target + at, f32x4.add(old, change), left);
  }
}
