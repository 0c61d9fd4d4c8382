import { affine, constant, minimum, reciprocal } from '../ops/index.ts';
import type { Tensor } from '../tensor/tensor.ts';

/** Keeps the quotient finite where the gradient vanishes; PyTorch's value, so that runs can be compared. */
const epsilon = 1e-6;

/**
 * What to multiply gradients with so that their global norm is at most `maxNorm` (Pascanu et al. 2013, algorithm 1):
 * min(1, maxNorm / (norm + 1e-6)).
 * @param norm []
 * @returns []
 */
export function clipScale(norm: Tensor, maxNorm: number): Tensor {
  const scale = affine(reciprocal(affine(norm, 1, epsilon)), maxNorm, 0);
  return minimum(constant(norm, [], Float64Array.of(1)), scale);
}
