// Linear layers: the products that nearly all of a step's time goes into.
import { shapeError } from '../tensor/errors.ts';
import { sizeOf } from '../tensor/shape.ts';
import type { Tensor, TensorType } from '../tensor/tensor.ts';
import { geluDerivative, gelu, silu, siluDerivative } from './activations.ts';
import { cast } from './cast.ts';
import { add, mul } from './elementwise.ts';
import { matmul } from './matmul.ts';
import { type Fused, apply, checkShape, float32, otherInput } from './op.ts';
import { reshape } from './reshape.ts';
import { sum } from './sum.ts';

/** What a linear layer applies to its result; the numbers are the attribute's values. */
const activations = { none: 0, gelu: 1, silu: 2 } as const;
export type Activation = keyof typeof activations;

type None = Record<string, never>;
type Linear = { activation: number };

/** [..., D] -> [rows, D] */
const flatten = (x: Tensor): Tensor => reshape(x, [sizeOf(x.shape.slice(0, -1)), x.shape.at(-1)!]);

/** Weights take part in a product in the precision of the data they meet. */
const matching = (w: Tensor, data: Tensor): Tensor =>
  cast(w, data.dtype === 'bfloat16' ? 'bfloat16' : 'float32');

function checkWeight(op: string, x: TensorType, w: TensorType, symbols: string, axis: number): void {
  if (w.shape.length !== 2 || w.shape[axis] !== x.shape.at(-1)) {
    const width = x.shape.at(-1);
    const wanted = axis === 1 ? `[O, ${width}]` : `[${width}, I]`;
    throw shapeError(op, 'w', `${symbols} = ${wanted}`, w.shape);
  }
}

/**
 * y = activation(x w^T + b), with the activation's derivative as a second output, so that the backward pass is one product
 * and the pre-activation need not be kept.
 */
export const linearOp: Fused<Linear> = {
  kind: 'fused',
  name: 'linear',
  infer([x, w, b], { activation }) {
    checkWeight('linear', x!, w!, '[O, I]', 1);
    const width = w!.shape[0]!;
    if (b) checkShape('linear', 'b', '[O]', [width], b.shape);
    const y = float32([...x!.shape.slice(0, -1), width]);
    return activation === activations.none ? [y] : [y, y];
  },
  lowPrecision: () => ({ inputs: [0], outputs: [0, 1], weights: [1] }),
  optionalOutputs: [1],
  decompose([x, w, b], { activation }) {
    const product = matmul(flatten(x!), matching(w!, x!), { transposeB: true });
    const z = reshape(b ? add(product, b) : product, [...x!.shape.slice(0, -1), w!.shape[0]!]);
    if (activation === activations.gelu) return [gelu(z), geluDerivative(z)];
    if (activation === activations.silu) return [silu(z), siluDerivative(z)];
    return [z];
  },
  vjp({ inputs: [x, w, b], outputs: [, derivative], grads: [g] }) {
    const dz = derivative ? mul(g!, derivative) : g!;
    const [dw, db] = linearGradParams(x!, dz);
    return b ? [linearGradInput(dz, w!), dw, db] : [linearGradInput(dz, w!), dw];
  },
};

/**
 * dy [..., O], w [O, I] -> dx [..., I] = dy w; given a factor [..., I], such as the derivative of the activation before the
 * layer, dx = (dy w) factor.
 */
export const linearGradInputOp: Fused<None> = {
  kind: 'fused',
  name: 'linearGradInput',
  infer([dy, w, factor]) {
    checkWeight('linearGradInput', dy!, w!, '[O, I]', 0);
    const dx = float32([...dy!.shape.slice(0, -1), w!.shape[1]!]);
    if (factor) checkShape('linearGradInput', 'factor', '[..., I]', dx.shape, factor.shape);
    return [dx];
  },
  lowPrecision: () => ({ inputs: [0, 2], outputs: [0], weights: [1] }),
  decompose([dy, w, factor]) {
    const product = matmul(flatten(dy!), matching(w!, dy!));
    const dx = reshape(product, [...dy!.shape.slice(0, -1), w!.shape[1]!]);
    return [factor ? mul(dx, factor) : dx];
  },
  fusions: [
    {
      producer: 'linearGradInput',
      consumer: 'mul',
      join(gradient, product) {
        const factor = otherInput(product, gradient.outputs[0]!);
        if (factor === undefined || gradient.inputs.length > 2) return undefined;
        return { inputs: [...gradient.inputs, factor], outputs: product.outputs, attributes: {} };
      },
    },
  ],
};

/** x [..., I], dy [..., O] -> dw [O, I] = dy^T x summed over all leading axes, db [O] */
export const linearGradParamsOp: Fused<None> = {
  kind: 'fused',
  name: 'linearGradParams',
  infer([x, dy]) {
    const leading = x!.shape.slice(0, -1);
    checkShape(
      'linearGradParams',
      'dy',
      'x but for the last axis',
      [...leading, dy!.shape.at(-1)!],
      dy!.shape,
    );
    return [float32([dy!.shape.at(-1)!, x!.shape.at(-1)!]), float32([dy!.shape.at(-1)!])];
  },
  lowPrecision: () => ({ inputs: [0, 1], outputs: [] }),
  decompose([x, dy]) {
    const rows = flatten(dy!);
    return [matmul(rows, flatten(x!), { transposeA: true }), sum(rows, [0])];
  },
};

/**
 * x w^T + b, then the activation.
 * @param x [..., I]
 * @param w [O, I]
 * @param b [O], or undefined for no bias
 * @returns [..., O]
 */
export function linear(x: Tensor, w: Tensor, b?: Tensor, activation: Activation = 'none'): Tensor {
  return apply(linearOp, b ? [x, w, b] : [x, w], { activation: activations[activation] })[0]!;
}

function linearGradInput(dy: Tensor, w: Tensor): Tensor {
  return apply(linearGradInputOp, [dy, w], {})[0]!;
}

function linearGradParams(x: Tensor, dy: Tensor): [Tensor, Tensor] {
  return apply(linearGradParamsOp, [x, dy], {}) as [Tensor, Tensor];
}
