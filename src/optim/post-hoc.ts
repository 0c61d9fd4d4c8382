// Averages of any length, from stored power-function averages of a few: Karras et al. 2024, section 3.2 and appendix C.
//
// A power-function average of exponent gamma, taken after t steps, weights the training so far by the profile
//
//     p(tau) = (gamma + 1) tau^gamma / t^(gamma + 1)  for 0 < tau <= t, 0 elsewhere,
//
// where step s has the times from s - 1 to s. What is linear in the profile is linear in the average: where sum x_i p_i is near
// the profile that is wanted, sum x_i average_i is near its average. The x_i are those of least squares.
import { internalError } from '../tensor/errors.ts';

export interface PowerProfile {
  /** t, optimizer steps that the average has seen. */
  readonly time: number;
  readonly gamma: number;
}

export interface Combination {
  /** One for each profile; they add up to 1. */
  readonly weights: Float64Array;
  /** The norm of the difference of the profiles, combined and wanted, over the norm of the wanted one. */
  readonly error: number;
}

/**
 * The integral of the product of two profiles. With s the earlier time and t the later one,
 *
 *     (gamma_s + 1) (gamma_t + 1) / (s^(gamma_s + 1) t^(gamma_t + 1)) * integral from 0 to s of tau^(gamma_s + gamma_t)
 *         = (gamma_s + 1) (gamma_t + 1) / (gamma_s + gamma_t + 1) * (s / t)^gamma_t / t
 */
export function profileProduct(a: PowerProfile, b: PowerProfile): number {
  const [early, late] = a.time < b.time ? [a, b] : [b, a];
  const scale = ((a.gamma + 1) * (b.gamma + 1)) / (a.gamma + b.gamma + 1);
  return (scale * (early.time / late.time) ** late.gamma) / late.time;
}

/**
 * What stands for the rounding of stored averages: the square of the relative error that float16 makes. Combinations of many
 * neighbouring averages are otherwise free to have large weights of both signs, which would let the rounding through.
 */
const ridge = 2 ** -24;

/**
 * The combination of profiles that is nearest to another one, in least squares, with a small ridge. Its weights add up to 1, so
 * that what does not change during the training is exact.
 */
export function combineProfiles(profiles: readonly PowerProfile[], wanted: PowerProfile): Combination {
  const n = profiles.length;
  const norm = profileProduct(wanted, wanted);
  const products = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) products[i * n + j] = profileProduct(profiles[i]!, profiles[j]!) / norm;
  const goals = Float64Array.from(profiles, (profile) => profileProduct(profile, wanted) / norm);

  const factor = products.slice();
  for (let i = 0; i < n; i++) factor[i * n + i]! += ridge;
  factorize(factor, n);
  const free = solve(factor, goals);
  // The multiplier of the constraint moves along the solution for a vector of ones.
  const along = solve(factor, new Float64Array(n).fill(1));
  const shift = (1 - total(free)) / total(along);
  const weights = free.map((x, i) => x + shift * along[i]!);

  let error = 1;
  for (let i = 0; i < n; i++) {
    let row = 0;
    for (let j = 0; j < n; j++) row += products[i * n + j]! * weights[j]!;
    error += weights[i]! * (row - 2 * goals[i]!);
  }
  return { weights, error: Math.sqrt(Math.max(0, error)) };
}

/** Cholesky: the lower triangle of a symmetric positive matrix becomes L, of which the matrix is L L^T. */
function factorize(matrix: Float64Array, n: number): void {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let rest = matrix[i * n + j]!;
      for (let k = 0; k < j; k++) rest -= matrix[i * n + k]! * matrix[j * n + k]!;
      if (i === j && !(rest > 0))
        throw internalError('combineProfiles: the products of the profiles are not positive');
      matrix[i * n + j] = i === j ? Math.sqrt(rest) : rest / matrix[j * n + j]!;
    }
  }
}

/** x of L L^T x = b */
function solve(factor: Float64Array, b: Float64Array): Float64Array {
  const n = b.length;
  const x = b.slice();
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i]! -= factor[i * n + k]! * x[k]!;
    x[i]! /= factor[i * n + i]!;
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i]! -= factor[k * n + i]! * x[k]!;
    x[i]! /= factor[i * n + i]!;
  }
  return x;
}

function total(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0);
}
