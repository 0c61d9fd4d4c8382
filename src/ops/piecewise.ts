// Ops made of straight lines. Where two of them meet, the gradient is said.
import { valueError } from '../tensor/errors.ts';
import type { Tensor } from '../tensor/tensor.ts';
import { constant } from './constant.ts';
import { affine, less, maximum, minimum, mul, neg, sub } from './elementwise.ts';
import { type Fused, apply1, float32 } from './op.ts';

type None = Record<string, never>;
type Clamp = { least: number; most: number };

const number = (like: Tensor, value: number): Tensor => constant(like, [], Float64Array.of(value));

/** |x|; its gradient is 0 at 0. */
export const absOp: Fused<None> = {
  kind: 'fused',
  name: 'abs',
  infer: ([x]) => [float32(x!.shape)],
  decompose: ([x]) => [maximum(x!, neg(x!))],
  vjp({ inputs: [x], grads: [g] }) {
    const zero = number(x!, 0);
    return [mul(g!, sub(less(zero, x!), less(x!, zero)))];
  },
};

/** The nearest number of [least, most]; its gradient is 1 there, also at both ends, and 0 outside. */
export const clampOp: Fused<Clamp> = {
  kind: 'fused',
  name: 'clamp',
  hides: () => [{ inputs: [0], numbers: 'infinity', why: 'the nearest number is an end' }],
  infer([x], { least, most }) {
    if (!(least <= most)) throw valueError('clamp', 'most', `a number of at least least = ${least}`, most);
    return [float32(x!.shape)];
  },
  decompose: ([x], { least, most }) => [minimum(maximum(x!, number(x!, least)), number(x!, most))],
  vjp({ inputs: [x], attributes: { least, most }, grads: [g] }) {
    const inside = (beyond: Tensor): Tensor => affine(beyond, -1, 1);
    const above = inside(less(x!, number(x!, least)));
    return [mul(mul(g!, above), inside(less(number(x!, most), x!)))];
  },
};

export function abs(x: Tensor): Tensor {
  return apply1(absOp, [x], {});
}

export function clamp(x: Tensor, least: number, most: number): Tensor {
  return apply1(clampOp, [x], { least, most });
}
