// Bidirectional multi-head self-attention (Vaswani et al. 2017), with the gradient that recomputes the probabilities from the
// log-sum-exp (Dao et al. 2022), so that no backend has to keep a matrix of tokens by tokens.
import { valueError } from '../tensor/errors.ts';
import type { Tensor, TensorType } from '../tensor/tensor.ts';
import { add, affine, div, exp, log, mul, sub } from './elementwise.ts';
import { matmul } from './matmul.ts';
import { type Fused, apply, apply1, checkRank, checkShape, float32 } from './op.ts';
import { max } from './reduce.ts';
import { reshape } from './reshape.ts';
import { concat, split } from './slice.ts';
import { sum } from './sum.ts';
import { transpose } from './transpose.ts';

type Attention = { heads: number };

function dimensions(
  op: string,
  qkv: TensorType,
  heads: number,
): { B: number; N: number; D: number; H: number } {
  checkRank(op, 'qkv', '[B, N, 3D]', 3, qkv.shape);
  const [B, N, width] = qkv.shape as [number, number, number];
  const D = width / 3;
  if (!Number.isInteger(heads) || heads < 1 || D % heads !== 0) {
    throw valueError(op, 'heads', `a positive integer that divides D = ${D}`, heads);
  }
  return { B, N, D, H: heads };
}

/** [B, N, H d] -> [B, H, N, d] */
function toHeads(x: Tensor, heads: number): Tensor {
  const [B, N, D] = x.shape as [number, number, number];
  return transpose(reshape(x, [B, N, heads, D / heads]), [0, 2, 1, 3]);
}

/** [B, H, N, d] -> [B, N, H d] */
function fromHeads(x: Tensor): Tensor {
  const [B, H, N, d] = x.shape as [number, number, number, number];
  return reshape(transpose(x, [0, 2, 1, 3]), [B, N, H * d]);
}

/** q, k, v as [B, H, N, d], and the scores q k^T / sqrt(d) as [B, H, N, N]. */
function scores(qkv: Tensor, heads: number): { q: Tensor; k: Tensor; v: Tensor; s: Tensor; scale: number } {
  const [q, k, v] = split(qkv, -1, 3).map((part) => toHeads(part, heads)) as [Tensor, Tensor, Tensor];
  const scale = 1 / Math.sqrt(q.shape[3]!);
  return { q, k, v, s: affine(matmul(q, k, { transposeB: true }), scale, 0), scale };
}

export const attentionOp: Fused<Attention> = {
  kind: 'fused',
  name: 'attention',
  infer([qkv], { heads }) {
    const { B, N, D, H } = dimensions('attention', qkv!, heads);
    return [float32([B, N, D]), float32([B, H, N])];
  },
  lowPrecision: () => ({ inputs: [0], outputs: [0] }),
  decompose([qkv], { heads }) {
    const { v, s } = scores(qkv!, heads);
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
  infer([qkv, o, lse, g], { heads }) {
    const { B, N, D, H } = dimensions('attentionGrad', qkv!, heads);
    checkShape('attentionGrad', 'o', '[B, N, D]', [B, N, D], o!.shape);
    checkShape('attentionGrad', 'lse', '[B, H, N]', [B, H, N], lse!.shape);
    checkShape('attentionGrad', 'do', '[B, N, D]', [B, N, D], g!.shape);
    return [float32(qkv!.shape)];
  },
  lowPrecision: () => ({ inputs: [0, 1, 3], outputs: [0] }),
  decompose([qkv, o, lse, g], { heads }) {
    const { q, k, v, s, scale } = scores(qkv!, heads);
    const p = exp(sub(s, reshape(lse!, [...lse!.shape, 1])));
    const dO = toHeads(g!, heads);
    const dp = matmul(dO, v, { transposeB: true });
    const delta = sum(mul(dO, toHeads(o!, heads)), [-1], true);
    const ds = affine(mul(p, sub(dp, delta)), scale, 0);
    const dq = matmul(ds, k);
    const dk = matmul(ds, q, { transposeA: true });
    const dv = matmul(p, dO, { transposeA: true });
    return [concat([dq, dk, dv].map(fromHeads), -1)];
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
