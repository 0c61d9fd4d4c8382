// Layer norm without parameters, then the conditioning's scale and shift: how adaLN conditions a block (Peebles & Xie 2023).
import type { Tensor, TensorType } from '../tensor/tensor.ts';
import { add, addOp, affine, mul, reciprocal, sqrt, square, sub } from './elementwise.ts';
import { type Fused, apply, checkRank, checkShape, float32, otherInput } from './op.ts';
import { mean } from './reduce.ts';
import { reshape } from './reshape.ts';
import { sum } from './sum.ts';

type Norm = { epsilon: number };
type None = Record<string, never>;

/** [B, D] -> [B, 1, D], to meet the tokens. */
const overTokens = (x: Tensor): Tensor => reshape(x, [x.shape[0]!, 1, x.shape[1]!]);
/** [B, N] -> [B, N, 1] */
const overWidth = (x: Tensor): Tensor => reshape(x, [...x.shape, 1]);

/** Throws unless x, or what `argument` calls it, is [B, N, D] and all of `named` are [B, D]. */
export function checkModulation(
  op: string,
  argument: string,
  x: TensorType,
  named: Readonly<Record<string, TensorType>>,
): void {
  checkRank(op, argument, '[B, N, D]', 3, x.shape);
  for (const [name, tensor] of Object.entries(named)) {
    checkShape(op, name, '[B, D]', [x.shape[0]!, x.shape[2]!], tensor.shape);
  }
}

/** normalized (1 + scale) + shift: normalized [B, N, D], shift and scale [B, D] -> [B, N, D] */
export function modulate(normalized: Tensor, shift: Tensor, scale: Tensor): Tensor {
  return add(mul(normalized, overTokens(affine(scale, 1, 1))), overTokens(shift));
}

/**
 * normalized = (x - mean) rstd and y = normalized (1 + scale) + shift, with rstd = 1 / sqrt(variance + epsilon) of each token. The
 * gradient needs normalized and rstd, so that nobody has to keep x. A kernel modulates normalized as it is stored, so that y made
 * again of it is y to the bit.
 */
export const layerNormModulateOp: Fused<Norm> = {
  kind: 'fused',
  name: 'layerNormModulate',
  infer([x, shift, scale]) {
    checkModulation('layerNormModulate', 'x', x!, { shift: shift!, scale: scale! });
    return [float32(x!.shape), float32(x!.shape), float32(x!.shape.slice(0, 2))];
  },
  lowPrecision: () => ({ inputs: [], outputs: [0, 1] }),
  optionalOutputs: [1],
  decompose([x, shift, scale], { epsilon }) {
    const centered = sub(x!, mean(x!, [-1], true));
    const rstd = reciprocal(sqrt(affine(mean(square(centered), [-1], true), 1, epsilon)));
    const normalized = mul(centered, rstd);
    return [modulate(normalized, shift!, scale!), normalized, reshape(rstd, x!.shape.slice(0, 2))];
  },
  vjp({ inputs: [, , scale], outputs: [, normalized, rstd], grads: [g] }) {
    return apply(layerNormModulateGradOp, [normalized!, scale!, rstd!, g!], {});
  },
};

/**
 * normalized, scale, rstd, dy -> dx [B, N, D], dshift [B, D], dscale [B, D]. A further input [B, N, D], the gradient that reaches
 * x on another way (around a residual branch), is added to dx.
 */
export const layerNormModulateGradOp: Fused<None> = {
  kind: 'fused',
  name: 'layerNormModulateGrad',
  infer([normalized, scale, rstd, dy, other]) {
    const op = 'layerNormModulateGrad';
    const { shape } = normalized!;
    checkModulation(op, 'normalized', normalized!, { scale: scale! });
    checkShape(op, 'rstd', '[B, N]', shape.slice(0, 2), rstd!.shape);
    checkShape(op, 'dy', '[B, N, D]', shape, dy!.shape);
    if (other) checkShape(op, 'other', '[B, N, D]', shape, other.shape);
    return [float32(shape), float32(scale!.shape), float32(scale!.shape)];
  },
  lowPrecision: () => ({ inputs: [0, 3], outputs: [] }),
  decompose([normalized, scale, rstd, dy, other]) {
    const g = mul(dy!, overTokens(affine(scale!, 1, 1)));
    const along = mean(mul(g, normalized!), [-1], true);
    const dx = mul(sub(sub(g, mean(g, [-1], true)), mul(normalized!, along)), overWidth(rstd!));
    return [other ? add(dx, other) : dx, sum(dy!, [1]), sum(mul(dy!, normalized!), [1])];
  },
  fusions: () => [
    {
      producer: layerNormModulateGradOp,
      consumer: addOp,
      join(gradient, total) {
        const [dx, ...modulation] = gradient.outputs;
        const other = otherInput(total, dx!);
        if (other === undefined || gradient.inputs.length > 4) return undefined;
        return {
          inputs: [...gradient.inputs, other],
          outputs: [total.outputs[0]!, ...modulation],
          attributes: {},
        };
      },
    },
  ],
};

/**
 * Layer norm over D with epsilon and no parameters, times (1 + scale), plus shift.
 * @param x [B, N, D]
 * @param shift [B, D]
 * @param scale [B, D]
 */
export function layerNormModulate(x: Tensor, shift: Tensor, scale: Tensor, epsilon = 1e-6): Tensor {
  return apply(layerNormModulateOp, [x, shift, scale], { epsilon })[0]!;
}
