// What the definitions of self-attention and cross-attention share.
import { valueError } from '../tensor/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { affine, exp, mul, sub } from './elementwise.ts';
import { matmul } from './matmul.ts';
import { reshape } from './reshape.ts';
import { sum } from './sum.ts';
import { transpose } from './transpose.ts';

/** @throws RectiflowError where D features do not make `heads` equal heads */
export function checkHeads(op: string, heads: number, D: number): void {
  if (!Number.isInteger(heads) || heads < 1 || D % heads !== 0) {
    throw valueError(op, 'heads', `a positive integer that divides D = ${D}`, heads);
  }
}

/** [B, N, H d] -> [B, H, N, d] */
function toHeads(x: Tensor, heads: number): Tensor {
  const [B, N, D] = x.shape as [number, number, number];
  return transpose(reshape(x, [B, N, heads, D / heads]), [0, 2, 1, 3]);
}

/** [B, H, N, d] -> [B, N, H d] */
export function fromHeads(x: Tensor): Tensor {
  const [B, H, N, d] = x.shape as [number, number, number, number];
  return reshape(transpose(x, [0, 2, 1, 3]), [B, N, H * d]);
}

export interface Scores {
  /** [B, H, N, d] */
  readonly q: Tensor;
  /** [B, H, M, d] */
  readonly k: Tensor;
  /** [B, H, M, d] */
  readonly v: Tensor;
  /** scale q k^T, [B, H, N, M] */
  readonly s: Tensor;
  readonly scale: number;
}

/** @param q [B, N, D] @param k [B, M, D] @param v [B, M, D] */
export function scores(parts: readonly [q: Tensor, k: Tensor, v: Tensor], heads: number): Scores {
  const [q, k, v] = parts.map((part) => toHeads(part, heads)) as [Tensor, Tensor, Tensor];
  const scale = 1 / Math.sqrt(q.shape[3]!);
  return { q, k, v, s: affine(matmul(q, k, { transposeB: true }), scale, 0), scale };
}

/**
 * The gradient of attention, its probabilities computed again from the log-sum-exp.
 * @param o [B, N, D] @param lse [B, H, N] @param g [B, N, D]
 * @returns dq [B, N, D], dk [B, M, D], dv [B, M, D]
 */
export function scoreGradients(
  { q, k, v, s, scale }: Scores,
  o: Tensor,
  lse: Tensor,
  g: Tensor,
): [dq: Tensor, dk: Tensor, dv: Tensor] {
  const heads = q.shape[1]!;
  const p = exp(sub(s, reshape(lse, [...lse.shape, 1])));
  const dO = toHeads(g, heads);
  const dp = matmul(dO, v, { transposeB: true });
  const delta = sum(mul(dO, toHeads(o, heads)), [-1], true);
  const ds = affine(mul(p, sub(dp, delta)), scale, 0);
  const dq = matmul(ds, k);
  const dk = matmul(ds, q, { transposeA: true });
  const dv = matmul(p, dO, { transposeA: true });
  return [fromHeads(dq), fromHeads(dk), fromHeads(dv)];
}
