// Activations and their derivatives. GELU is the tanh form (Hendrycks & Gimpel 2016, eq. 2), as the DiT release has it.
import type { Tensor } from '../tensor/tensor.ts';
import { cast } from './cast.ts';
import { constant } from './constant.ts';
import { add, affine, less, maximum, mul, sigmoid, square, tanh } from './elementwise.ts';
import { type Fused, type Hiding, apply1, checkShape, float32 } from './op.ts';

type None = Record<string, never>;

/** What an op that applies an activation, or its derivative, to these inputs may hide. */
const limits = (inputs: readonly number[]): readonly Hiding[] => [
  {
    inputs,
    numbers: 'infinity',
    why: 'an activation is 0 at -infinity, its derivative 0 there and 1 at infinity',
  },
];

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
    hides: () => limits([0]),
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

const zero = (like: Tensor): Tensor => constant(like, [], Float64Array.of(0));

/** The values of the attribute. */
export const activations = { none: 0, gelu: 1, silu: 2, relu: 3 } as const;
/** What a linear layer or a norm applies to its result. */
export type Activation = Exclude<keyof typeof activations, 'relu'>;
export type ActivationAttribute = { activation: number };

/** max(x, 0). The gradient, 0 at 0, reads the result, so that nobody has to keep x. */
export const reluOp: Fused<None> = {
  kind: 'fused',
  name: 'relu',
  infer: ([x]) => [float32(x!.shape)],
  hides: () => limits([0]),
  lowPrecision: () => ({ inputs: [0], outputs: [0] }),
  decompose: ([x]) => [maximum(cast(x!, 'float32'), zero(x!))],
  vjp: ({ outputs: [y], grads: [g] }) => [activationGrad(g!, y!, { activation: activations.relu })],
};

/** What an op with the attribute may hide in what the activation is applied to. */
export function hiddenBy(activation: number, inputs: readonly number[]): readonly Hiding[] {
  return activation === activations.none ? [] : limits(inputs);
}

/** act(z) of an activation by its number. */
export function activate(z: Tensor, activation: number): Tensor {
  if (activation === activations.gelu) return gelu(z);
  if (activation === activations.relu) return relu(z);
  return activation === activations.silu ? silu(z) : z;
}

/** act'(z) */
function derivativeOf(z: Tensor, activation: number): Tensor {
  if (activation === activations.relu) return less(zero(z), z);
  return activation === activations.gelu ? geluDerivative(z) : siluDerivative(z);
}

const compared: Hiding = { inputs: [1], numbers: 'all', why: 'it is compared with 0' };

/**
 * dy and z, what the activation was applied to -> dz = dy act'(z), all of one shape. For relu, y says as much as z.
 */
export const activationGradOp: Fused<ActivationAttribute> = {
  kind: 'fused',
  name: 'activationGrad',
  hides: ({ activation }) => (activation === activations.relu ? [compared] : hiddenBy(activation, [1])),
  infer([dy, z]) {
    checkShape('activationGrad', 'z', "dy's shape", dy!.shape, z!.shape);
    return [float32(dy!.shape)];
  },
  lowPrecision: () => ({ inputs: [0, 1], outputs: [0] }),
  decompose([dy, z], { activation }) {
    if (activation === activations.none) return [dy!];
    return [mul(cast(dy!, 'float32'), derivativeOf(cast(z!, 'float32'), activation))];
  },
};

export function activationGrad(dy: Tensor, z: Tensor, attributes: ActivationAttribute): Tensor {
  return apply1(activationGradOp, [dy, z], attributes);
}

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

/** max(x, 0) */
export function relu(x: Tensor): Tensor {
  return apply1(reluOp, [x], {});
}
