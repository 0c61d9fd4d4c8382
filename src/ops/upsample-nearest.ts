// Images made larger by repeating each pixel, and the gradient, which sums the repeats.
import { valueError } from '../tensor/errors.ts';
import type { Tensor, TensorType } from '../tensor/tensor.ts';
import { cast } from './cast.ts';
import { type Fused, apply1, checkRank, float32 } from './op.ts';
import { reshape } from './reshape.ts';
import { broadcastTo, sum } from './sum.ts';

type Factor = { factor: number };
type Images = [B: number, C: number, H: number, W: number];

function check(op: string, argument: string, { shape }: TensorType, factor: number): Images {
  checkRank(op, argument, '[B, C, H, W]', 4, shape);
  if (!Number.isInteger(factor) || factor < 1) throw valueError(op, 'factor', 'a positive integer', factor);
  return shape as Images;
}

export const upsampleNearestOp: Fused<Factor> = {
  kind: 'fused',
  name: 'upsampleNearest',
  infer([x], { factor }) {
    const [B, C, H, W] = check('upsampleNearest', 'x', x!, factor);
    return [float32([B, C, H * factor, W * factor])];
  },
  lowPrecision: () => ({ inputs: [0], outputs: [0] }),
  decompose([x], { factor }) {
    const [B, C, H, W] = x!.shape as Images;
    const repeated = broadcastTo(reshape(x!, [B, C, H, 1, W, 1]), [B, C, H, factor, W, factor]);
    return [reshape(repeated, [B, C, H * factor, W * factor])];
  },
  vjp: ({ attributes, grads }) => [apply1(upsampleNearestGradOp, [grads[0]!], attributes)],
};

/** dy [B, C, H factor, W factor] -> dx [B, C, H, W] */
export const upsampleNearestGradOp: Fused<Factor> = {
  kind: 'fused',
  name: 'upsampleNearestGrad',
  infer([dy], { factor }) {
    const [B, C, H, W] = check('upsampleNearestGrad', 'dy', dy!, factor);
    if (H % factor !== 0 || W % factor !== 0) {
      throw valueError('upsampleNearestGrad', 'factor', `a divisor of ${H} and ${W}`, factor);
    }
    return [float32([B, C, H / factor, W / factor])];
  },
  lowPrecision: () => ({ inputs: [0], outputs: [0] }),
  decompose([dy], { factor }) {
    const [B, C, H, W] = dy!.shape as Images;
    return [sum(reshape(cast(dy!, 'float32'), [B, C, H / factor, factor, W / factor, factor]), [3, 5])];
  },
};

/** x [B, C, H, W] -> [B, C, H factor, W factor]: each pixel becomes a square of factor by factor pixels. */
export function upsampleNearest(x: Tensor, factor = 2): Tensor {
  return apply1(upsampleNearestOp, [x], { factor });
}
