// Activations and their derivatives. GELU is the tanh form (Hendrycks & Gimpel 2016, eq. 2), as the DiT release has it.
import type { Tensor } from '../tensor/tensor.ts';
import { add, affine, mul, sigmoid, square, tanh } from './elementwise.ts';
import { type Fused, apply1, float32 } from './op.ts';

type None = Record<string, never>;

const cubic = 0.044715;
const slope = Math.sqrt(2 / Math.PI);

function elementwise(
  name: string,
  decompose: (x: Tensor) => Tensor,
  derivative?: (x: Tensor) => Tensor,
): Fused<None> {
  return {
    kind: 'fused',
    name,
    infer: ([x]) => [float32(x!.shape)],
    decompose: ([x]) => [decompose(x!)],
    ...(derivative && { vjp: ({ inputs, grads }) => [mul(grads[0]!, derivative(inputs[0]!))] }),
  };
}

/** tanh(slope (x + cubic x^3)) */
function geluTanh(x: Tensor): Tensor {
  return tanh(affine(mul(x, affine(square(x), cubic, 1)), slope, 0));
}

export const geluOp: Fused<None> = elementwise(
  'gelu',
  (x) => mul(affine(x, 0.5, 0), affine(geluTanh(x), 1, 1)),
  geluDerivative,
);

export const geluDerivativeOp: Fused<None> = elementwise('geluDerivative', (x) => {
  const u = geluTanh(x);
  const inner = affine(square(x), 3 * cubic * slope, slope);
  const curved = mul(mul(affine(x, 0.5, 0), affine(square(u), -1, 1)), inner);
  return add(affine(u, 0.5, 0.5), curved);
});

export const siluOp: Fused<None> = elementwise('silu', (x) => mul(x, sigmoid(x)), siluDerivative);

export const siluDerivativeOp: Fused<None> = elementwise('siluDerivative', (x) => {
  const s = sigmoid(x);
  return mul(s, affine(mul(x, affine(s, -1, 1)), 1, 1));
});

export function gelu(x: Tensor): Tensor {
  return apply1(geluOp, [x], {});
}

export function geluDerivative(x: Tensor): Tensor {
  return apply1(geluDerivativeOp, [x], {});
}

/** x sigmoid(x) */
export function silu(x: Tensor): Tensor {
  return apply1(siluOp, [x], {});
}

export function siluDerivative(x: Tensor): Tensor {
  return apply1(siluDerivativeOp, [x], {});
}
