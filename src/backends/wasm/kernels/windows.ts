// What the windows of a convolution cover of an image, in blocks: a row for each weight of a kernel, a column for each window; and the way back,
// which adds a block to the image. A block has one extent whatever the image, so that it stays in cache.
import { load4, store4 } from './vector';

/** Weights of a block, and windows. */
export const blockSide: i32 = 256;

/** Of images [channels, height, width], and of kernels [outputs, channels, kernelHeight, kernelWidth]. */
export let channels: i32 = 0;
export let outputs: i32 = 0;
let height: i32 = 0;
let width: i32 = 0;
let kernelHeight: i32 = 0;
let kernelWidth: i32 = 0;
let rows: i32 = 0;
let columns: i32 = 0;
let stride: i32 = 1;
let top: i32 = 0;
let left: i32 = 0;

/** How the windows of the next convolution lie. @param down, across how many there are */
export function layWindows(
  C: i32,
  H: i32,
  W: i32,
  O: i32,
  kh: i32,
  kw: i32,
  down: i32,
  across: i32,
  apart: i32,
  above: i32,
  before: i32,
): void {
  channels = C;
  height = H;
  width = W;
  outputs = O;
  kernelHeight = kh;
  kernelWidth = kw;
  rows = down;
  columns = across;
  stride = apart;
  top = above;
  left = before;
}

export function pixelsOfImage(): i32 {
  return channels * height * width;
}

export function weightsOfKernel(): i32 {
  return channels * kernelHeight * kernelWidth;
}

export function windowsOfImage(): i32 {
  return rows * columns;
}

/** block [weights, windows], `blockSide` numbers from row to row = what windows from `window` on cover of the image, 0 outside of it. */
export function coverBlock(
  image: usize,
  weight: i32,
  weights: i32,
  window: i32,
  windows: i32,
  block: usize,
): void {
  walk(image, weight, weights, window, windows, block, false);
}

/** Adds a block to what its windows cover of the image. */
export function addBlock(
  image: usize,
  weight: i32,
  weights: i32,
  window: i32,
  windows: i32,
  block: usize,
): void {
  walk(image, weight, weights, window, windows, block, true);
}

/** Run by run: windows of a block side by side in a row of windows, whose pixels lie in a row of the image, or outside. */
function walk(
  image: usize,
  weight: i32,
  weights: i32,
  window: i32,
  windows: i32,
  block: usize,
  adds: bool,
): void {
  const area = kernelHeight * kernelWidth;
  for (let k = weight; k < weight + weights; k++) {
    const tap = k % area;
    const channel = image + (((k / area) * height * width) << 2);
    let row = (window / columns) * stride + tap / kernelWidth - top;
    let skipped = window % columns;
    let to = block;
    let ahead = windows;
    while (ahead > 0) {
      const count = min(columns - skipped, ahead);
      const from = skipped * stride + (tap % kernelWidth) - left;
      const isInside = row >= 0 && row < height;
      const end = isInside ? min(count, reaching(width - from)) : 0;
      const begin = min(end, reaching(-from));
      const pixel = channel + ((row * width + from + begin * stride) << 2);
      if (adds) addRun(to + (begin << 2), end - begin, pixel);
      else {
        clear(to, begin);
        copyRun(pixel, end - begin, to + (begin << 2));
        clear(to + (end << 2), count - end);
      }
      to += count << 2;
      ahead -= count;
      row += stride;
      skipped = 0;
    }
    block += blockSide << 2;
  }
}

/** How many steps of `stride` it takes to reach a distance. */
function reaching(distance: i32): i32 {
  return distance <= 0 ? 0 : (distance + stride - 1) / stride;
}

function clear(to: usize, count: i32): void {
  for (let i = 0; i < count; i++) store<f32>(to + (i << 2), 0);
}

function copyRun(pixel: usize, count: i32, to: usize): void {
  if (stride == 1) {
    for (let i = 0; i < count; i += 4) {
      const at = i << 2;
      store4(to + at, load4(pixel + at, count - i), count - i);
    }
    return;
  }
  for (let i = 0; i < count; i++) store<f32>(to + (i << 2), load<f32>(pixel + ((i * stride) << 2)));
}

function addRun(from: usize, count: i32, pixel: usize): void {
  if (stride == 1) {
    for (let i = 0; i < count; i += 4) {
      const at = i << 2;
      const sum = f32x4.add(load4(pixel + at, count - i), load4(from + at, count - i));
      store4(pixel + at, sum, count - i);
    }
    return;
  }
  for (let i = 0; i < count; i++) {
    const at = pixel + ((i * stride) << 2);
    store<f32>(at, load<f32>(at) + load<f32>(from + (i << 2)));
  }
}
