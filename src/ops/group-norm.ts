// Group norm (Wu & He 2018) of images, with weights and bias for each channel, and what may follow it: SiLU.
import { shapeError, valueError } from '../tensor/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import type { Tensor, TensorType } from '../tensor/tensor.ts';
import { type Activation, activate, activationGrad, activations, hiddenBy } from './activations.ts';
import { cast } from './cast.ts';
import { add, affine, mul, reciprocal, sqrt, square, sub } from './elementwise.ts';
import { type Fused, type Hiding, apply, checkShape, float32 } from './op.ts';
import { mean } from './reduce.ts';
import { reshape } from './reshape.ts';
import { sum } from './sum.ts';

type GroupNorm = { groups: number; epsilon: number; activation: number };
type GroupNormGrad = { groups: number; activation: number };

/** [B, C, ...] -> [B, groups, C / groups ...], all of a group along the last axis. */
const byGroup = (x: Tensor, groups: number): Tensor =>
  reshape(x, [x.shape[0]!, groups, sizeOf(x.shape) / (x.shape[0]! * groups)]);
/** [B, groups] -> [B, groups, 1] */
const overGroup = (x: Tensor): Tensor => reshape(x, [...x.shape, 1]);
/** [C] -> [C, 1, ...], to meet what has x's axes. */
const overPixels = (w: Tensor, x: Tensor): Tensor =>
  reshape(w, [w.shape[0]!, ...x.shape.slice(2).map(() => 1)]);

function check(op: string, x: TensorType, groups: number, named: Readonly<Record<string, TensorType>>): void {
  if (x.shape.length < 2) throw shapeError(op, 'x', '[B, C, ...] (2 axes or more)', x.shape);
  const C = x.shape[1]!;
  if (!Number.isInteger(groups) || groups < 1 || C % groups !== 0) {
    throw valueError(op, 'groups', `a positive integer that divides C = ${C}`, groups);
  }
  for (const [name, tensor] of Object.entries(named)) checkShape(op, name, '[C]', [C], tensor.shape);
}

/**
 * y = act((x - mean) rstd w + b), mean and rstd = 1 / sqrt(variance + epsilon) being those of each image's groups of channels. The
 * gradient reads x, and makes again what it needs by them.
 */
export const groupNormOp: Fused<GroupNorm> = {
  kind: 'fused',
  name: 'groupNorm',
  hides: ({ activation }) => hiddenBy(activation, [1, 2]),
  infer([x, w, b], { groups }) {
    check('groupNorm', x!, groups, { w: w!, b: b! });
    const statistics = float32([x!.shape[0]!, groups]);
    return [float32(x!.shape), statistics, statistics];
  },
  lowPrecision: () => ({ inputs: [0], outputs: [0] }),
  decompose([x, w, b], { groups, epsilon, activation }) {
    const grouped = byGroup(cast(x!, 'float32'), groups);
    const middle = mean(grouped, [-1], true);
    const centered = sub(grouped, middle);
    const rstd = reciprocal(sqrt(affine(mean(square(centered), [-1], true), 1, epsilon)));
    const normalized = reshape(mul(centered, rstd), x!.shape);
    const z = add(mul(normalized, overPixels(w!, x!)), overPixels(b!, x!));
    const statistics = [x!.shape[0]!, groups];
    return [activate(z, activation), reshape(middle, statistics), reshape(rstd, statistics)];
  },
  vjp({ inputs: [x, w, b], outputs: [, middle, rstd], attributes: { groups, activation }, grads: [g] }) {
    return apply(groupNormGradOp, [x!, w!, b!, middle!, rstd!, g!], { groups, activation });
  },
};

const unread: Hiding = {
  inputs: [2],
  numbers: 'all',
  why: "only an activation's derivative asks for the bias",
};

/** x, w, b, mean and rstd [B, groups], dy -> dx like x, dw [C], db [C] */
export const groupNormGradOp: Fused<GroupNormGrad> = {
  kind: 'fused',
  name: 'groupNormGrad',
  hides: ({ activation }) => (activation === activations.none ? [unread] : hiddenBy(activation, [2])),
  infer([x, w, b, middle, rstd, dy], { groups }) {
    const op = 'groupNormGrad';
    check(op, x!, groups, { w: w!, b: b! });
    checkShape(op, 'mean', '[B, groups]', [x!.shape[0]!, groups], middle!.shape);
    checkShape(op, 'rstd', '[B, groups]', [x!.shape[0]!, groups], rstd!.shape);
    checkShape(op, 'dy', "x's shape", x!.shape, dy!.shape);
    return [float32(x!.shape), float32(w!.shape), float32(w!.shape)];
  },
  lowPrecision: () => ({ inputs: [0, 5], outputs: [0] }),
  decompose([x, w, b, middle, rstd, dy], { groups, activation }) {
    const grouped = byGroup(cast(x!, 'float32'), groups);
    const normalized = mul(sub(grouped, overGroup(middle!)), overGroup(rstd!));
    const images = reshape(normalized, x!.shape);
    const z = add(mul(images, overPixels(w!, x!)), overPixels(b!, x!));
    const wide = cast(dy!, 'float32');
    const dz = activation === activations.none ? wide : activationGrad(wide, z, { activation });
    const g = byGroup(mul(dz, overPixels(w!, x!)), groups);
    const along = mean(mul(g, normalized), [-1], true);
    const rest = sub(sub(g, mean(g, [-1], true)), mul(normalized, along));
    const others = x!.shape.flatMap((_, axis) => (axis === 1 ? [] : [axis]));
    return [reshape(mul(rest, overGroup(rstd!)), x!.shape), sum(mul(dz, images), others), sum(dz, others)];
  },
};

/**
 * Group norm, then the activation.
 * @param x [B, C, ...]
 * @param w [C] @param b [C]
 * @param groups of C / groups neighbouring channels
 */
export function groupNorm(
  x: Tensor,
  w: Tensor,
  b: Tensor,
  groups: number,
  { epsilon = 1e-6, activation = 'none' }: { epsilon?: number; activation?: Activation } = {},
): Tensor {
  return apply(groupNormOp, [x, w, b], { groups, epsilon, activation: activations[activation] })[0]!;
}
