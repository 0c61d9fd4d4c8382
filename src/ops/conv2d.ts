// Convolutions of images, as PyTorch has them: x [B, C, H, W] correlated with kernels w [O, C, kh, kw], over zeros.
import { isHalf } from '../tensor/dtype.ts';
import { valueError } from '../tensor/errors.ts';
import { checkShape, type Fused, type Hiding, apply, apply1, checkRank, float32 } from './op.ts';
import type { Tensor } from '../tensor/tensor.ts';
import {
  type ActivationAttribute,
  activate,
  activationGrad,
  activations,
  hiddenBy,
  reluOp,
} from './activations.ts';
import { cast } from './cast.ts';
import { add } from './elementwise.ts';
import { matmul } from './matmul.ts';
import { operand } from './operand.ts';
import { reshape } from './reshape.ts';
import { sum } from './sum.ts';
import { transpose } from './transpose.ts';
import {
  type Extent,
  type Windows,
  checkKernels,
  countWindows,
  extentOf,
  spread,
  surround,
  turned,
  windowsOf,
} from './windows.ts';

type Convolution = Windows & ActivationAttribute;
type GradInput = Windows & { height: number; width: number };
type GradParams = Windows & { size: readonly number[] };

const wide = (x: Tensor): Tensor => cast(x, 'float32');
/** Weights take part in a product in the precision of the data they meet. */
const matching = (w: Tensor, data: Tensor): Tensor => (isHalf(data.dtype) ? wide(cast(w, data.dtype)) : w);
/** [B, N, C] -> [B, C, ...extent] */
const imagesOf = (pixels: Tensor, extent: Extent): Tensor =>
  reshape(transpose(pixels, [0, 2, 1]), [pixels.shape[0]!, pixels.shape[2]!, ...extent]);

const leftOut: Hiding = { inputs: [0], numbers: 'all', why: 'windows that are apart may leave out pixels' };
const outside: Hiding = { inputs: [0], numbers: 'all', why: 'a window may lie outside of the image' };
const unmet: Hiding = {
  inputs: [1],
  numbers: 'all',
  why: 'of windows that are apart a pixel meets few weights',
};

/**
 * y[b, o, i, j] = sum over c, p, q of w[o, c, p, q] x[b, c, i stride + p - top, j stride + q - left], plus bias[o]; then, where it stands
 * in for that too, relu.
 */
export const conv2dOp: Fused<Convolution> = {
  kind: 'fused',
  name: 'conv2d',
  hides: ({ stride, activation }) => [...(stride > 1 ? [leftOut] : []), ...hiddenBy(activation, [0, 1, 2])],
  infer([x, w, b], { activation, ...windows }) {
    if (activation !== activations.none && activation !== activations.relu) {
      throw valueError('conv2d', 'activation', 'none or relu', activation);
    }
    checkKernels('conv2d', 'x', 1, x!, w!);
    const [B, O] = [x!.shape[0]!, w!.shape[0]!];
    if (b) checkShape('conv2d', 'b', '[O]', [O], b.shape);
    return [float32([B, O, ...countWindows('conv2d', extentOf(x!), extentOf(w!), windows)])];
  },
  lowPrecision: () => ({ inputs: [0], outputs: [0], weights: [1] }),
  decompose([x, w, b], { activation, ...windows }) {
    const count = countWindows('conv2d', extentOf(x!), extentOf(w!), windows);
    const [O, C, kh, kw] = w!.shape as [number, number, number, number];
    const kernels = reshape(matching(w!, x!), [O, C * kh * kw]);
    const product = matmul(windowsOf(wide(x!), [kh, kw], count, windows), kernels, { transposeB: true });
    return [activate(imagesOf(b ? add(product, b) : product, count), activation)];
  },
  vjp({ inputs: [x, w, b], outputs: [y], attributes: { activation, ...windows }, grads: [g] }) {
    const dz = operand(activation === activations.none ? g! : activationGrad(g!, y!, { activation }));
    const [height, width] = extentOf(x!);
    const dx = apply1(conv2dGradInputOp, [dz, w!], { ...windows, height, width });
    const [dw, db] = apply(conv2dGradParamsOp, [x!, dz], { ...windows, size: extentOf(w!) });
    return b ? [dx, dw, db] : [dx, dw];
  },
  fusions: () => [
    {
      producer: conv2dOp,
      consumer: reluOp,
      join({ inputs, outputs: [z], attributes }, { outputs }) {
        const { activation, ...windows } = attributes as Convolution;
        if (activation !== activations.none || z!.dtype !== outputs[0]!.dtype) return undefined;
        return { inputs, outputs, attributes: { ...windows, activation: activations.relu } };
      },
    },
  ],
};

/** dy [B, O, Ho, Wo], w [O, C, kh, kw] -> dx [B, C, height, width]: dy, as far apart as its windows, correlated with turned kernels. */
export const conv2dGradInputOp: Fused<GradInput> = {
  kind: 'fused',
  name: 'conv2dGradInput',
  hides: ({ stride, padding }) => [
    ...(padding.some((side) => side > 0) ? [outside] : []),
    ...(stride > 1 ? [unmet] : []),
  ],
  infer([dy, w], { height, width, stride, padding }) {
    const op = 'conv2dGradInput';
    checkKernels(op, 'dy', 0, dy!, w!);
    const [B, [O, C]] = [dy!.shape[0]!, w!.shape as [number, number]];
    const count = countWindows(op, [height, width], extentOf(w!), { stride, padding });
    checkShape(op, 'dy', '[B, O, Ho, Wo]', [B, O, ...count], dy!.shape);
    return [float32([B, C, height, width])];
  },
  lowPrecision: () => ({ inputs: [0], outputs: [0], weights: [1] }),
  decompose([dy, w], { height, width, stride, padding }) {
    const [kh, kw] = extentOf(w!);
    const apart = spread(wide(dy!), stride);
    const rows = surround(apart, 2, kh - 1 - padding[0]!, height + kh - 1);
    const meeting = surround(rows, 3, kw - 1 - padding[2]!, width + kw - 1);
    const covered = windowsOf(meeting, [kh, kw], [height, width], { stride: 1, padding: [0, 0, 0, 0] });
    return [imagesOf(matmul(covered, turned(matching(w!, dy!)), { transposeB: true }), [height, width])];
  },
};

/** x [B, C, H, W], dy [B, O, Ho, Wo] -> dw [O, C, kh, kw], db [O], summed over images and windows. `size` is [kh, kw]. */
export const conv2dGradParamsOp: Fused<GradParams> = {
  kind: 'fused',
  name: 'conv2dGradParams',
  hides: ({ stride }) => (stride > 1 ? [leftOut] : []),
  infer([x, dy], { size, stride, padding }) {
    const op = 'conv2dGradParams';
    checkRank(op, 'x', '[B, C, H, W]', 4, x!.shape);
    checkRank(op, 'dy', '[B, O, Ho, Wo]', 4, dy!.shape);
    const [[B, C], O] = [x!.shape as [number, number], dy!.shape[1]!];
    const count = countWindows(op, extentOf(x!), size as Extent, { stride, padding });
    checkShape(op, 'dy', '[B, O, Ho, Wo]', [B, O, ...count], dy!.shape);
    return [float32([O, C, ...size]), float32([O])];
  },
  lowPrecision: () => ({ inputs: [0, 1], outputs: [] }),
  optionalOutputs: [1],
  decompose([x, dy], { size, ...windows }) {
    const [[B, C], O] = [x!.shape as [number, number], dy!.shape[1]!];
    const [kh, kw] = size as Extent;
    const count = extentOf(dy!);
    const N = count[0] * count[1];
    const pixels = reshape(transpose(reshape(wide(dy!), [B, O, N]), [0, 2, 1]), [B * N, O]);
    const covered = reshape(windowsOf(wide(x!), [kh, kw], count, windows), [B * N, C * kh * kw]);
    const dw = matmul(pixels, covered, { transposeA: true });
    return [reshape(dw, [O, C, kh, kw]), sum(pixels, [0])];
  },
};

export interface Conv2dOptions {
  /** Pixels from one window to the next; 1 by default. */
  readonly stride?: number;
  /** Zeros around the image: one number for all sides, or [top, bottom, left, right]; none by default. */
  readonly padding?: number | readonly [top: number, bottom: number, left: number, right: number];
}

/**
 * A convolution (torch.nn.functional.conv2d, with a padding for each side).
 * @param x [B, C, H, W]
 * @param w [O, C, kh, kw]
 * @param b [O], or undefined for no bias
 * @returns [B, O, Ho, Wo], Ho = floor((top + H + bottom - kh) / stride) + 1
 * @throws RectiflowError where the shapes do not fit together, or the padded image is smaller than the kernel
 */
export function conv2d(
  x: Tensor,
  w: Tensor,
  b?: Tensor,
  { stride = 1, padding = 0 }: Conv2dOptions = {},
): Tensor {
  const around = typeof padding === 'number' ? [padding, padding, padding, padding] : [...padding];
  const attributes = { stride, padding: around, activation: activations.none };
  return apply1(conv2dOp, b ? [operand(x), w, b] : [operand(x), w], attributes);
}
