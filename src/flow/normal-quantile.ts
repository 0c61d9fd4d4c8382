import { add, affine, constant, less, log, maximum, mul, sqrt } from '../ops/index.ts';
import type { Tensor } from '../tensor/tensor.ts';

// Giles 2012, "Approximating the erfinv function", GPU Computing Gems Jade, table 5: polynomials in w - 2.5 where
// w = -log(1 - x^2) is below 5, and in sqrt(w) - 3 above, the highest power first.
const central = [
  2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 2.1858087e-4, -1.25372503e-3, -4.17768164e-3,
  0.246640727, 1.50140941,
];
const tails = [
  -2.00214257e-4, 1.00950558e-4, 1.34934322e-3, -3.67342844e-3, 5.73950773e-3, -7.6224613e-3, 9.43887047e-3,
  1.00167406, 2.83297682,
];
const boundary = 5;

/**
 * The number that a standard normal one is below with probability u, sqrt(2) erfinv(2 u - 1): where u is uniform, the result is
 * normal. Exact to about 1e-6 of its size, or 1e-6 near 0.
 * @param u in (0, 1), float32
 */
export function normalQuantile(u: Tensor): Tensor {
  // 1 - x^2 = 4 u (1 - u), of x = 2 u - 1.
  const w = affine(log(affine(mul(u, affine(u, -1, 1)), 4, 0)), -1, 0);
  const far = maximum(w, constant(w, [], Float64Array.of(boundary)));
  const isCentral = less(w, constant(w, [], Float64Array.of(boundary)));
  const p = add(
    mul(isCentral, polynomial(central, affine(w, 1, -2.5))),
    mul(affine(isCentral, -1, 1), polynomial(tails, affine(sqrt(far), 1, -3))),
  );
  return mul(p, affine(u, 2 * Math.SQRT2, -Math.SQRT2));
}

function polynomial([first, second, ...others]: readonly number[], x: Tensor): Tensor {
  const start = affine(x, first!, second!);
  return others.reduce((value, coefficient) => affine(mul(value, x), 1, coefficient), start);
}
