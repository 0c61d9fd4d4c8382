import { valueError } from '../tensor/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { constant } from './constant.ts';
import { affine, cos, mul, sin } from './elementwise.ts';
import { type Fused, apply1, checkRank, float32 } from './op.ts';
import { reshape } from './reshape.ts';
import { concat } from './slice.ts';

type TimestepEmbedding = { width: number; timeScale: number; maxPeriod: number };

/** [cos, sin] of timeScale t maxPeriod^(-k / (width / 2)) for k < width / 2, in float32 as the public DiT release has it. */
export const timestepEmbeddingOp: Fused<TimestepEmbedding> = {
  kind: 'fused',
  name: 'timestepEmbedding',
  infer([t], { width }) {
    checkRank('timestepEmbedding', 't', '[B]', 1, t!.shape);
    if (!Number.isInteger(width) || width < 2 || width % 2 !== 0) {
      throw valueError('timestepEmbedding', 'width', 'a positive even integer', width);
    }
    return [float32([t!.shape[0]!, width])];
  },
  decompose([t], { width, timeScale, maxPeriod }) {
    const half = width / 2;
    const frequencies = Float64Array.from({ length: half }, (_, k) =>
      Math.exp((-Math.log(maxPeriod) * k) / half),
    );
    const scaled = affine(reshape(t!, [t!.shape[0]!, 1]), timeScale, 0);
    const angles = mul(scaled, constant(t!, [1, half], frequencies));
    return [concat([cos(angles), sin(angles)], 1)];
  },
};

/** t [B] in [0, 1] -> [B, width] */
export function timestepEmbedding(t: Tensor, width: number, timeScale: number, maxPeriod = 10000): Tensor {
  return apply1(timestepEmbeddingOp, [t], { width, timeScale, maxPeriod });
}
