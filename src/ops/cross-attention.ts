// Multi-head attention of queries to the keys of another sequence (Vaswani et al. 2017) whose samples have lengths of their
// own, with the gradient of attention.ts.
import { dtypeError } from '../tensor/errors.ts';
import type { Tensor, TensorType } from '../tensor/tensor.ts';
import { add, affine, div, exp, log, mul, sub } from './elementwise.ts';
import { type Scores, checkHeads, fromHeads, scoreGradients, scores } from './heads.ts';
import { lengthMask } from './length-mask.ts';
import { matmul } from './matmul.ts';
import { type Fused, apply, checkRank, checkShape, float32 } from './op.ts';
import { max } from './reduce.ts';
import { reshape } from './reshape.ts';
import { concat, slice, split } from './slice.ts';
import { sum } from './sum.ts';

type CrossAttention = { heads: number };

/** Taken from the score of a key that does not exist: its exponential is zero, and nothing overflows. */
const never = 1e30;

function checkInputs(
  op: string,
  [q, kv, lengths]: readonly TensorType[],
  heads: number,
): { output: [number, number, number]; statistics: [number, number, number] } {
  checkRank(op, 'q', '[B, N, D]', 3, q!.shape);
  checkRank(op, 'kv', '[B, M, 2D]', 3, kv!.shape);
  const [B, N, D] = q!.shape as [number, number, number];
  checkShape(op, 'kv', '[B, M, 2D]', [B, kv!.shape[1]!, 2 * D], kv!.shape);
  checkShape(op, 'lengths', '[B]', [B], lengths!.shape);
  if (lengths!.dtype !== 'int32') throw dtypeError(op, 'lengths', 'int32', lengths!.dtype);
  checkHeads(op, heads, D);
  return { output: [B, N, D], statistics: [B, heads, N] };
}

/** The scores, as good as minus infinity at keys that do not exist, and for each sample 1 where it has a key, else 0. */
function maskedScores(
  q: Tensor,
  kv: Tensor,
  lengths: Tensor,
  heads: number,
): { masked: Scores; hasKeys: Tensor } {
  const [k, v] = split(kv, -1, 2) as [Tensor, Tensor];
  const [B, M] = kv.shape as [number, number];
  const all = scores([q, k, v], heads);
  const mask = reshape(lengthMask(lengths, M), [B, 1, 1, M]);
  return {
    masked: { ...all, s: add(all.s, affine(mask, never, -never)) },
    hasKeys: slice(mask, -1, 0, 1), // -> [B, 1, 1, 1]
  };
}

export const crossAttentionOp: Fused<CrossAttention> = {
  kind: 'fused',
  name: 'crossAttention',
  hides: () => [
    { inputs: [0], numbers: 'all', why: 'a sample without keys gets zeros' },
    { inputs: [1], numbers: 'all', why: 'keys beyond the length are not read' },
  ],
  infer(inputs, { heads }) {
    const { output, statistics } = checkInputs('crossAttention', inputs, heads);
    return [float32(output), float32(statistics)];
  },
  lowPrecision: () => ({ inputs: [0, 1], outputs: [0] }),
  decompose([q, kv, lengths], { heads }) {
    const { masked, hasKeys } = maskedScores(q!, kv!, lengths!, heads);
    const largest = mul(max(masked.s, [-1], true), hasKeys);
    const powers = exp(sub(masked.s, largest));
    // Without keys all powers are zero: dividing by 1 leaves them so, and the log-sum-exp, which nothing depends on, is 0.
    const total = add(sum(powers, [-1], true), affine(hasKeys, -1, 1));
    const lse = add(largest, log(total));
    return [fromHeads(matmul(div(powers, total), masked.v)), reshape(lse, lse.shape.slice(0, 3))];
  },
  vjp({ inputs: [q, kv, lengths], outputs: [o, lse], attributes, grads: [g] }) {
    return [...apply(crossAttentionGradOp, [q!, kv!, lengths!, o!, lse!, g!], attributes), undefined];
  },
};

/** q [B, N, D], kv [B, M, 2D], lengths [B], o [B, N, D], lse [B, H, N], do [B, N, D] -> dq [B, N, D], dkv [B, M, 2D] */
export const crossAttentionGradOp: Fused<CrossAttention> = {
  kind: 'fused',
  name: 'crossAttentionGrad',
  hides: () => [
    { inputs: [0, 3, 4, 5], numbers: 'all', why: 'a sample without keys has no gradient' },
    { inputs: [1], numbers: 'all', why: 'keys beyond the length are not read' },
  ],
  infer([q, kv, lengths, o, lse, g], { heads }) {
    const { output, statistics } = checkInputs('crossAttentionGrad', [q!, kv!, lengths!], heads);
    checkShape('crossAttentionGrad', 'o', '[B, N, D]', output, o!.shape);
    checkShape('crossAttentionGrad', 'lse', '[B, H, N]', statistics, lse!.shape);
    checkShape('crossAttentionGrad', 'do', '[B, N, D]', output, g!.shape);
    return [float32(q!.shape), float32(kv!.shape)];
  },
  lowPrecision: () => ({ inputs: [0, 1, 3, 5], outputs: [0, 1] }),
  decompose([q, kv, lengths, o, lse, g], { heads }) {
    const { masked } = maskedScores(q!, kv!, lengths!, heads);
    const [dq, dk, dv] = scoreGradients(masked, o!, lse!, g!);
    return [dq, concat([dk, dv], -1)];
  },
};

/**
 * Per head, softmax(q k^T / sqrt(D / heads)) v over the keys that exist. A sample without any gets zeros.
 * @param q [B, N, D]
 * @param kv [B, M, 2D], its last axis laid out as (2, heads, D / heads)
 * @param lengths int32 [B]: sample b has the first lengths[b] of the M keys; the rest is padding
 * @returns [B, N, D]
 */
export function crossAttention(q: Tensor, kv: Tensor, lengths: Tensor, heads: number): Tensor {
  return apply(crossAttentionOp, [q, kv, lengths], { heads })[0]!;
}
