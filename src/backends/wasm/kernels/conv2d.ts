// Convolutions and their gradients, src/ops/conv2d.ts: products with what windows cover, of which a block at a time is written out
// (windows.ts), so that their memory does not grow with the image. x [B, C, H, W], w [O, C, kh, kw], y [B, O, Ho, Wo].
import { finishChannels, finishNothing } from './finish';
import { packAsIs } from './pack';
import { product } from './product';
import { sumRow } from './sums';
import { load4, store4, sumLanes } from './vector';
import {
  addBlock,
  blockSide,
  channels,
  coverBlock,
  outputs,
  pixelsOfImage,
  weightsOfKernel,
  windowsOfImage,
} from './windows';

const blockBytes: i32 = blockSide * blockSide * 4;

/** Of each image y [O, windows] = w [O, weights] times what they cover. @param b 0 where there is none */
export function conv2d(
  B: i32,
  x: usize,
  w: usize,
  b: usize,
  y: usize,
  activation: i32,
  scratch: usize,
): void {
  const weights = weightsOfKernel();
  const windows = windowsOfImage();
  const rest = scratch + blockBytes;
  packAsIs();
  for (let image = 0; image < B; image++) {
    for (let j = 0; j < windows; j += blockSide) {
      const across = min(blockSide, windows - j);
      finishNothing();
      for (let k = 0; k < weights; k += blockSide) {
        const depth = min(blockSide, weights - k);
        if (k + depth == weights) finishChannels(b, activation);
        coverBlock(x, k, depth, j, across, scratch);
        const from = w + (k << 2);
        const to = y + (j << 2);
        product(outputs, across, depth, from, weights, 1, scratch, blockSide, 1, to, windows, k > 0, rest);
      }
    }
    x += pixelsOfImage() << 2;
    y += (outputs * windows) << 2;
  }
}

/** Of each image w^T [weights, O] dy [O, windows], added to dx where the windows lie. */
export function conv2dGradInput(B: i32, dy: usize, w: usize, dx: usize, scratch: usize): void {
  const weights = weightsOfKernel();
  const windows = windowsOfImage();
  const pixels = pixelsOfImage();
  const rest = scratch + blockBytes;
  packAsIs();
  finishNothing();
  beginGradient(B, w, dx);
  for (let image = 0; image < B; image++) {
    for (let j = 0; j < windows; j += blockSide) {
      const across = min(blockSide, windows - j);
      for (let k = 0; k < weights; k += blockSide) {
        const down = min(blockSide, weights - k);
        const left = w + (k << 2);
        const right = dy + (j << 2);
        product(down, across, outputs, left, 1, weights, right, windows, 1, scratch, blockSide, false, rest);
        addBlock(dx, k, down, j, across, scratch);
      }
    }
    dx += pixels << 2;
    dy += (outputs * windows) << 2;
  }
}

/**
 * dx begins as what a weight makes of the zeros between and around the gradients, which it meets at every pixel: 0, and NaN where it is not
 * finite.
 */
function beginGradient(B: i32, w: usize, dx: usize): void {
  const weights = weightsOfKernel();
  const area = weights / channels;
  const plane = pixelsOfImage() / channels;
  for (let c = 0; c < channels; c++) {
    let sums = f32x4.splat(0);
    for (let output = 0; output < outputs; output++) {
      const kernel = w + ((output * weights + c * area) << 2);
      for (let i = 0; i < area; i += 4)
        sums = f32x4.add(sums, f32x4.mul(load4(kernel + (i << 2), area - i), f32x4.splat(0)));
    }
    const begin = f32x4.splat(sumLanes(sums));
    for (let image = 0; image < B; image++) {
      const to = dx + (((image * channels + c) * plane) << 2);
      for (let i = 0; i < plane; i += 4) store4(to + (i << 2), begin, plane - i);
    }
  }
}

/** dw [O, weights] = dy [O, windows] times what they cover, over all images; db [O]. @param db 0 where nobody reads it */
export function conv2dGradParams(B: i32, x: usize, dy: usize, dw: usize, db: usize, scratch: usize): void {
  const weights = weightsOfKernel();
  const windows = windowsOfImage();
  const rest = scratch + blockBytes;
  packAsIs();
  finishNothing();
  for (let k = 0; k < weights; k += blockSide) {
    const across = min(blockSide, weights - k);
    const to = dw + (k << 2);
    for (let image = 0; image < B; image++) {
      for (let j = 0; j < windows; j += blockSide) {
        const depth = min(blockSide, windows - j);
        const adds = image > 0 || j > 0;
        coverBlock(x + ((image * pixelsOfImage()) << 2), k, across, j, depth, scratch);
        const from = dy + ((image * outputs * windows + j) << 2);
        product(outputs, across, depth, from, windows, 1, scratch, 1, blockSide, to, weights, adds, rest);
      }
    }
  }
  if (db != 0) sumImages(B, dy, db);
}

/** dy [B, O, windows] -> db [O] */
function sumImages(B: i32, dy: usize, db: usize): void {
  const windows = windowsOfImage();
  for (let output = 0; output < outputs; output++) {
    let total: f64 = 0;
    for (let image = 0; image < B; image++)
      total += sumRow(windows, dy + (((image * outputs + output) * windows) << 2));
    store<f32>(db + (output << 2), total as f32);
  }
}
