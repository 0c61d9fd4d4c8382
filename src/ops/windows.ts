// The windows that a convolution looks through: how they lie on an image, and what each of them covers, in other ops.
import { shapeError, valueError } from '../tensor/errors.ts';
import type { Tensor, TensorType } from '../tensor/tensor.ts';
import { reshape } from './reshape.ts';
import { concat, pad, slice } from './slice.ts';
import { transpose } from './transpose.ts';

/** How windows lie on an image: `stride` pixels from one to the next, over zeros of these widths: top, bottom, left, right. */
export type Windows = { stride: number; padding: readonly number[] };

/** Rows and columns. */
export type Extent = readonly [rows: number, columns: number];

/** The extent of images [B, C, H, W], or of kernels [O, C, kh, kw]. */
export const extentOf = ({ shape }: TensorType): Extent => [shape[2]!, shape[3]!];

/**
 * How many windows there are.
 * @param image in pixels
 * @param size of a window
 * @throws RectiflowError where stride or padding are no such numbers, or the padded image is smaller than a window
 */
export function countWindows(op: string, image: Extent, size: Extent, { stride, padding }: Windows): Extent {
  if (!Number.isInteger(stride) || stride < 1) throw valueError(op, 'stride', 'a positive integer', stride);
  if (padding.length !== 4 || padding.some((side) => !Number.isInteger(side) || side < 0)) {
    const wanted = 'four integers of at least 0, for top, bottom, left and right';
    throw valueError(op, 'padding', wanted, `[${padding.join(', ')}]`);
  }
  const padded = image.map((extent, axis) => extent + padding[2 * axis]! + padding[2 * axis + 1]!);
  if (padded.some((extent, axis) => extent < size[axis]!)) {
    const wanted = `at least as large as the kernel, ${size.join(' x ')}`;
    throw valueError(op, 'the image with its padding', wanted, padded.join(' x '));
  }
  const along = (axis: 0 | 1): number => Math.floor((padded[axis]! - size[axis]) / stride) + 1;
  return [along(0), along(1)];
}

/**
 * Throws unless `images` are [B, channels, H, W] and w is [O, C, kh, kw], with these channels as its axis `channels`.
 * @param argument what the op calls the images
 */
export function checkKernels(
  op: string,
  argument: string,
  channels: 0 | 1,
  images: TensorType,
  w: TensorType,
): void {
  const symbols = channels === 1 ? '[B, C, H, W]' : '[B, O, H, W]';
  if (images.shape.length !== 4) throw shapeError(op, argument, `${symbols} (4 axes)`, images.shape);
  if (w.shape.length !== 4 || w.shape[channels] !== images.shape[1]) {
    const found = images.shape[1];
    const wanted = channels === 1 ? `[O, ${found}, kh, kw]` : `[${found}, C, kh, kw]`;
    throw shapeError(op, 'w', `[O, C, kh, kw] = ${wanted}`, w.shape);
  }
}

/**
 * x [B, C, H, W] -> [B, N, C kh kw]: what each of the N windows covers, in the order of a kernel's weights.
 * @param count of windows, as `countWindows` says
 */
export function windowsOf(
  x: Tensor,
  [kh, kw]: Extent,
  [rows, columns]: Extent,
  { stride, padding }: Windows,
): Tensor {
  const [B, C] = x.shape as [number, number];
  // From every pixel of a window on there is the same number of pixels, whole strides.
  const below = surround(x, 2, padding[0]!, rows * stride + kh - 1);
  const padded = surround(below, 3, padding[2]!, columns * stride + kw - 1);
  const covered = Array.from({ length: kh * kw }, (_, i) => {
    const row = everyOf(padded, 2, Math.floor(i / kw), rows, stride);
    return reshape(everyOf(row, 3, i % kw, columns, stride), [B, C, 1, rows * columns]);
  });
  return transpose(reshape(concat(covered, 2), [B, C * kh * kw, rows * columns]), [0, 2, 1]);
}

/** x with `before` zeros before it and as many after it as make `extent`; where those are less than none, without what is beyond. */
export function surround(x: Tensor, axis: number, before: number, extent: number): Tensor {
  const start = Math.max(0, -before);
  const inside = Math.min(x.shape[axis]! - start, extent - Math.max(0, before));
  const part = inside === x.shape[axis] ? x : slice(x, axis, start, inside);
  const after = extent - Math.max(0, before) - inside;
  return before > 0 || after > 0 ? pad(part, axis, Math.max(0, before), after) : part;
}

/** Every stride-th of x along an axis, `count` of them from `start` on. */
function everyOf(x: Tensor, axis: number, start: number, count: number, stride: number): Tensor {
  const part = slice(x, axis, start, count * stride);
  if (stride === 1) return part;
  const [before, after] = [x.shape.slice(0, axis), x.shape.slice(axis + 1)];
  const apart = reshape(part, [...before, count, stride, ...after]);
  return reshape(slice(apart, axis + 1, 0, 1), [...before, count, ...after]);
}

/** x [B, C, H, W] -> [B, C, H stride, W stride]: each pixel with stride - 1 zeros after it, to the right and below. */
export function spread(x: Tensor, stride: number): Tensor {
  if (stride === 1) return x;
  const [B, C, H, W] = x.shape as [number, number, number, number];
  const apart = pad(pad(reshape(x, [B, C, H, 1, W, 1]), 3, 0, stride - 1), 5, 0, stride - 1);
  return reshape(apart, [B, C, H * stride, W * stride]);
}

/** w [O, C, kh, kw] -> [C, O kh kw], each kernel turned by half a circle: what its gradient correlates with. */
export function turned(w: Tensor): Tensor {
  const [O, C, kh, kw] = w.shape as [number, number, number, number];
  const flat = reshape(w, [O, C, kh * kw]);
  const weights = Array.from({ length: kh * kw }, (_, i) => slice(flat, 2, kh * kw - 1 - i, 1));
  return reshape(transpose(concat(weights, 2), [1, 0, 2]), [C, O * kh * kw]);
}
