// Bidirectional multi-head self-attention (Vaswani et al. 2017), with the gradient that recomputes the probabilities from the
// log-sum-exp (Dao et al. 2022), so that no backend has to keep a matrix of tokens by tokens.
import type { Tensor, TensorType } from '../tensor/tensor.ts';
import { add, div, exp, log, sub } from './elementwise.ts';
import { type Scores, checkHeads, fromHeads, scoreGradients, scores } from './heads.ts';
import { matmul } from './matmul.ts';
import { type Fused, apply, apply1, checkRank, checkShape, float32 } from './op.ts';
import { max } from './reduce.ts';
import { reshape } from './reshape.ts';
import { concat, split } from './slice.ts';
import { sum } from './sum.ts';

type Attention = { heads: number };

function dimensions(
  op: string,
  qkv: TensorType,
  heads: number,
): { B: number; N: number; D: number; H: number } {
  checkRank(op, 'qkv', '[B, N, 3D]', 3, qkv.shape);
  const [B, N, width] = qkv.shape as [number, number, number];
  const D = width / 3;
  checkHeads(op, heads, D);
  return { B, N, D, H: heads };
}

function scoresOf(qkv: Tensor, heads: number): Scores {
  return scores(split(qkv, -1, 3) as [Tensor, Tensor, Tensor], heads);
}

export const attentionOp: Fused<Attention> = {
  kind: 'fused',
  name: 'attention',
  hides: () => [{ inputs: [0], numbers: 'infinity', why: 'a score of -infinity has no share' }],
  infer([qkv], { heads }) {
    const { B, N, D, H } = dimensions('attention', qkv!, heads);
    return [float32([B, N, D]), float32([B, H, N])];
  },
  lowPrecision: () => ({ inputs: [0], outputs: [0] }),
  decompose([qkv], { heads }) {
    const { v, s } = scoresOf(qkv!, heads);
    const largest = max(s, [-1], true);
    const powers = exp(sub(s, largest));
    const total = sum(powers, [-1], true);
    const lse = add(largest, log(total));
    return [fromHeads(matmul(div(powers, total), v)), reshape(lse, lse.shape.slice(0, 3))];
  },
  vjp({ inputs: [qkv], outputs: [o, lse], attributes, grads: [g] }) {
    return [apply1(attentionGradOp, [qkv!, o!, lse!, g!], attributes)];
  },
};

/** qkv [B, N, 3D], o [B, N, D], lse [B, H, N], do [B, N, D] -> dqkv [B, N, 3D] */
export const attentionGradOp: Fused<Attention> = {
  kind: 'fused',
  name: 'attentionGrad',
  hides: () => [
    {
      inputs: [0, 2],
      numbers: 'infinity',
      why: 'a score of -infinity has no share, and none is above its log-sum-exp',
    },
  ],
  infer([qkv, o, lse, g], { heads }) {
    const { B, N, D, H } = dimensions('attentionGrad', qkv!, heads);
    checkShape('attentionGrad', 'o', '[B, N, D]', [B, N, D], o!.shape);
    checkShape('attentionGrad', 'lse', '[B, H, N]', [B, H, N], lse!.shape);
    checkShape('attentionGrad', 'do', '[B, N, D]', [B, N, D], g!.shape);
    return [float32(qkv!.shape)];
  },
  lowPrecision: () => ({ inputs: [0, 1, 3], outputs: [0] }),
  decompose([qkv, o, lse, g], { heads }) {
    return [concat(scoreGradients(scoresOf(qkv!, heads), o!, lse!, g!), -1)];
  },
};

/**
 * Per head, softmax(q k^T / sqrt(D / heads)) v.
 * @param qkv [B, N, 3D], its last axis laid out as (3, heads, D / heads)
 * @returns [B, N, D]
 */
export function attention(qkv: Tensor, heads: number): Tensor {
  return apply(attentionOp, [qkv], { heads })[0]!;
}
