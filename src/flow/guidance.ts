import { add, mul, split, sub } from '../ops/index.ts';
import type { Tensor } from '../tensor/tensor.ts';

/**
 * Classifier-free guidance (Ho & Salimans 2022, arXiv:2207.12598) on all channels: v_null + s (v_cond - v_null). A scale of 1
 * is the conditional velocity and needs no second evaluation.
 * @param both [2B, ...], the velocities with labels, then those of the same samples with the null label
 * @param scale [], s
 * @returns [B, ...]
 */
export function guide(both: Tensor, scale: Tensor): Tensor {
  const [conditional, unconditional] = split(both, 0, 2) as [Tensor, Tensor];
  return add(unconditional, mul(scale, sub(conditional, unconditional)));
}
