import { affine, div } from '../ops/index.ts';
import type { Tensor } from '../tensor/tensor.ts';

/**
 * t' = s t / (1 + (s - 1) t) (Esser et al. 2024, arXiv:2403.03206, eq. 23, whose t is ours: 1 is noise). A large image still
 * shows through noise that hides a small one, because neighbouring pixels average it out; the shift makes up for that. From an
 * image of n pixels to one of m, s = sqrt(m / n). It keeps 0, 1 and the order of times; s = 1 changes nothing.
 * @param t in [0, 1]
 * @param shift s, above 0
 */
export function shiftTime(t: number, shift: number): number {
  return (shift * t) / (1 + (shift - 1) * t);
}

/** `shiftTime` of each number of a tensor. */
export function shiftTimes(t: Tensor, shift: number): Tensor {
  return div(affine(t, shift, 0), affine(t, shift - 1, 1));
}
